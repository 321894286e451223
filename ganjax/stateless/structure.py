"""What a Keras model takes and returns: its main input, its labels, its main output, and the rest.

A structure is a pytree: an array, or lists, tuples and dicts of them. A model's inputs are divided so:

- one input is the main input (samples, latents);
- of a list, the first is the main input, and the rest are labels: one itself, several as a tuple;
- of a dict with the key "labels", that is the labels, and the others are the main input: what is called
  "latents" or "samples" if it is the only other, otherwise a dict;
- any other dict is the main input as a whole.

The parts may be structures themselves, as in `keras.Model([{"z": z, "noise": noise}, label], ...)`.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import keras

from ganjax.stateless.rebuilding import in_own_thread

Spec = Any
"""A structure of `jax.ShapeDtypeStruct`, without the batch axis."""

_ALONE = ("latents", "samples")


def split_inputs(inputs: Any, *, only_labels: bool = False) -> tuple[Any, Any]:
    """`(main input, labels)`, each None where there is none; with `only_labels`, there is no main input."""
    has_names = isinstance(inputs, dict) and "labels" in inputs
    if only_labels:
        return None, inputs["labels"] if has_names and len(inputs) == 1 else inputs
    if isinstance(inputs, (list, tuple)):
        main, *labels = inputs
        return main, tuple(labels) if len(labels) > 1 else labels[0] if labels else None
    if has_names:
        rest = {name: value for name, value in inputs.items() if name != "labels"}
        (first, *more) = rest or (None,)
        return rest[first] if first in _ALONE and not more else rest, inputs["labels"]
    return inputs, None


def join_inputs(form: Any, main: Any, labels: Any, *, only_labels: bool = False) -> Any:
    """The inputs, in the structure of `form`, that `split_inputs` divides into these two."""
    has_names = isinstance(form, dict) and "labels" in form
    if only_labels:
        return {"labels": labels} if has_names and len(form) == 1 else labels
    if isinstance(form, (list, tuple)) and len(form) > 1:
        return [main, *(labels if len(form) > 2 else [labels])]
    if has_names:
        alone = [name for name in form if name in _ALONE and len(form) == 2]
        return ({alone[0]: main} if alone else main) | {"labels": labels}
    return main


def split_output(output: Any, name: str, names: Any = None) -> tuple[Any, Any]:
    """A model's main output, and the others (an empty tuple where there are none).

    Args:
        output: an array; a tuple or list, of which the first is the main output; or a dict.
        name: of the main output in a dict.
        names: if given, the main output is the dict of these.
    """
    if isinstance(output, dict):
        main = {each: output[each] for each in names} if names is not None else output[name]
        kept = {name} if names is None else set(names)
        return main, {each: value for each, value in output.items() if each not in kept} or ()
    if isinstance(output, (list, tuple)):
        main, *rest = output
        return main, tuple(rest)
    return output, ()


def input_spec(model: keras.Model) -> Spec:
    """What a built model takes, in the structure in which it takes it.

    Raises:
        ValueError: a shape is not fixed but for the batch, or the model does not say what it was built for.
    """
    inputs = _inputs(model)
    for x in jax.tree.leaves(inputs):
        if None in x.shape[1:]:
            raise ValueError(f"the input shape of {model.name!r} must be fixed but for the batch: {x.shape}")
    return jax.tree.map(_spec, inputs)


def batch_sizes(model: keras.Model) -> set[int]:
    """The sizes of a batch to which a built model is fixed by its inputs; usually none."""
    return {x.shape[0] for x in jax.tree.leaves(_inputs(model)) if x.shape[0] is not None}


def input_shape(model: keras.Model) -> Any:
    """Shape of one main input of a built model, without the batch axis."""
    return shapes_of(split_inputs(input_spec(model))[0])


def label_shape(model: keras.Model) -> Any:
    """Shape of one label, without the batch axis, of a model that takes labels; otherwise None."""
    labels = split_inputs(input_spec(model))[1]
    return None if labels is None else shapes_of(labels)


def output_shape(model: keras.Model) -> tuple[int, ...]:
    """Shape of one output, without the batch axis, of a built model that has one.

    Raises:
        ValueError: it has several.
    """
    output = output_spec(model)
    if not isinstance(output, jax.ShapeDtypeStruct):
        count = len(jax.tree.leaves(output))
        raise ValueError(f"the model {model.name!r} must have exactly one output, got {count}")
    return output.shape


def output_spec(model: keras.Model) -> Spec:
    """What a built model returns; nothing is computed."""

    def tensor(spec: jax.ShapeDtypeStruct) -> keras.KerasTensor:
        return keras.KerasTensor((2, *spec.shape), str(spec.dtype))

    output = in_own_thread(model.compute_output_spec, jax.tree.map(tensor, input_spec(model)))
    return jax.tree.map(_spec, output)


def shapes_of(spec: Spec) -> Any:
    """The shapes of a spec, in its structure: a tuple for one array."""
    return jax.tree.map(lambda leaf: leaf.shape, spec)


def filled(spec: Spec, n: Any) -> Any:
    """The spec of `n` of them: with the batch axis."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((n, *leaf.shape), leaf.dtype), spec)


def _inputs(model: keras.Model) -> Any:
    """Keras's symbolic inputs, with the batch axis."""
    if isinstance(model, keras.Sequential):
        return model.inputs[0]
    if getattr(model, "inputs", None):
        return model.input
    shapes = (model.get_build_config() or {}).get(
        "input_shape"
    )  # a subclassed model knows what it was built for
    if not shapes:
        raise ValueError(f"the model {model.name!r} does not say what it takes: call it once on a batch")
    return _tensors(shapes)


def _spec(x: keras.KerasTensor) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(tuple(x.shape[1:]), jnp.dtype(x.dtype))


def _tensors(shapes: Any) -> Any:
    """A tensor of each of these shapes, in their structure; Keras keeps it in lists and dicts of its own."""
    if isinstance(shapes, dict):
        return {name: _tensors(shape) for name, shape in shapes.items()}
    if all(n is None or isinstance(n, int) for n in shapes):
        return keras.KerasTensor(tuple(shapes))
    return [_tensors(shape) for shape in shapes]
