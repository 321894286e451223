"""Keras models as pure functions of their weights: calls, inputs and outputs, initial weights, what training
changes, copies."""

from ganjax.stateless.calls import (
    After,
    Weights,
    assign,
    call,
    call_layers,
    call_with_losses,
    call_without_state,
    constrained,
    initial_weights,
    regularization,
    snapshot,
)
from ganjax.stateless.rebuilding import check_saving, rebuild, without_values
from ganjax.stateless.structure import (
    filled,
    input_shape,
    input_spec,
    label_shape,
    output_shape,
    output_spec,
    shapes_of,
    split_inputs,
    split_output,
)
from ganjax.stateless.variables import standard_promotion

__all__ = [
    "After",
    "Weights",
    "assign",
    "call",
    "call_layers",
    "call_with_losses",
    "call_without_state",
    "check_saving",
    "constrained",
    "filled",
    "initial_weights",
    "input_shape",
    "input_spec",
    "label_shape",
    "output_shape",
    "output_spec",
    "rebuild",
    "regularization",
    "shapes_of",
    "snapshot",
    "split_inputs",
    "split_output",
    "standard_promotion",
    "without_values",
]
