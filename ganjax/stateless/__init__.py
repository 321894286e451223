"""Keras models as pure functions of their weights: calls, initial weights, what training changes, copies."""

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
    input_shape,
    label_shape,
    output_shape,
    regularization,
    snapshot,
)
from ganjax.stateless.rebuilding import check_saving, rebuild, without_values
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
    "initial_weights",
    "input_shape",
    "label_shape",
    "output_shape",
    "rebuild",
    "regularization",
    "snapshot",
    "standard_promotion",
    "without_values",
]
