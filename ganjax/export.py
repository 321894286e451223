"""A state in other forms: as Keras models, and as plain arrays by path."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from ganjax import stateless
from ganjax.gan import GAN
from ganjax.state import GANState, init_state


def export_models(gan: GAN, state: GANState, *, ema: bool = True) -> tuple[keras.Model, keras.Model]:
    """New Keras models `(generator, discriminator)` carrying the trained values, ready for `.save`.

    Args:
        gan: the GAN; its own models are left as they are.
        state: one state (not a population), outside of any transformation.
        ema: take the generator's averaged weights rather than its latest.
    """
    weights = state.ema if ema else state.generator
    pairs = ((gan.generator, weights), (gan.discriminator, state.discriminator))
    models = []
    for model, values in pairs:
        twin = stateless.rebuild(model)
        stateless.assign(twin, values.params, values.statistics)
        models.append(twin)
    return models[0], models[1]


def state_to_arrays(state: GANState) -> dict[str, np.ndarray]:
    """`state` as plain NumPy arrays by path, e.g. `"generator/params/0"`, as `np.savez` takes them."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {_path(path): np.array(_plain(leaf)) for path, leaf in leaves}


def state_digest(state: GANState) -> str:
    """SHA-256 (hexadecimal) over every array of `state`: its path, dtype, shape and bytes."""
    return arrays_digest(state_to_arrays(state))


def arrays_digest(arrays: Mapping[str, np.ndarray]) -> str:
    """The `state_digest` of the state whose arrays by path these are."""
    digest = hashlib.sha256()
    for path, array in arrays.items():
        digest.update(f"{path} {array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def arrays_to_state(gan: GAN, arrays: Mapping[str, np.ndarray]) -> GANState:
    """The state of `gan` whose arrays `state_to_arrays` wrote.

    Raises:
        ValueError: `arrays` lacks a leaf, has one too many, or one has another shape or dtype: they are of
            another GAN.
    """
    template = jax.eval_shape(lambda key: init_state(gan, key), jax.random.key(0))
    leaves, structure = jax.tree_util.tree_flatten_with_path(template)
    expected = {_path(path): leaf for path, leaf in leaves}
    if expected.keys() != arrays.keys():
        path = sorted(expected.keys() ^ arrays.keys())[0]
        raise ValueError(f"these arrays are not a state of this GAN: {path!r} is on one side only")

    def restored(path: str, leaf: Any) -> jax.Array:
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        plain = jax.eval_shape(jax.random.key_data, leaf) if is_key else leaf
        value = arrays[path]
        if value.shape != plain.shape or value.dtype != plain.dtype:
            raise ValueError(
                f"these arrays are not a state of this GAN: {path!r} is {value.dtype}{value.shape}, "
                f"not {plain.dtype}{plain.shape}"
            )
        array = jnp.array(value)
        return jax.random.wrap_key_data(array) if is_key else array

    return jax.tree.unflatten(structure, [restored(path, leaf) for path, leaf in expected.items()])


def _path(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _plain(leaf: jax.Array) -> jax.Array:
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return jax.random.key_data(leaf) if is_key else leaf
