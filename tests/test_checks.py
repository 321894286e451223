"""Mistakes are found before compiling; each message is one line."""

import functools
import subprocess
import sys
import warnings
from pathlib import Path

import by_hand
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from by_hand import make_gan

import ganjax
from ganjax.checks import as_key
from ganjax.gan import GAN


@pytest.fixture(scope="module")
def gan():
    return make_gan(by_hand.sequential)


@pytest.fixture(scope="module")
def state(gan):
    return ganjax.init_state(gan, jax.random.key(0))


ONE_KEY = jax.random.key(0)
NO_KEYS = [
    (0, TypeError, "a PRNG key is needed.* got int"),
    (None, TypeError, "a PRNG key is needed.* got NoneType"),
    (np.int32(3), TypeError, "a PRNG key is needed.* got an array of int32"),
    (jnp.zeros(2, jnp.int32), TypeError, "a PRNG key is needed.* got an array of int32"),
    (jnp.zeros((40, 40)), TypeError, "a PRNG key is needed.* got an array of float32"),
    (jnp.zeros((), jnp.uint32), TypeError, "a PRNG key is needed.* got an array of uint32"),
    (jnp.zeros(5, jnp.uint32), TypeError, "key"),
    (jax.random.split(ONE_KEY, 3), ValueError, r"one key is needed.* of shape \(3,\): use jax.vmap"),
    (jax.random.key_data(jax.random.split(ONE_KEY, 3)), ValueError, "one key is needed.*use jax.vmap"),
]


@pytest.mark.parametrize(("key", "kind", "message"), NO_KEYS)
def test_no_key(gan, state, key, kind, message):
    for function in (
        as_key,
        functools.partial(ganjax.init_state, gan),
        lambda key: ganjax.sample_latent(gan, key, 2),
        lambda key: ganjax.generate(gan, state, key, 2),
    ):
        with pytest.raises(kind, match=message) as error:
            function(key)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("seed", [0, 1, 2**31])
def test_legacy_keys_are_the_same_keys(seed):
    with jax.default_prng_impl("threefry2x32"):
        new, legacy = jax.random.key(seed), jax.random.key_data(jax.random.key(seed))
    assert as_key(new) is new
    for key in (legacy, np.asarray(legacy)):
        assert jnp.all(jax.random.key_data(as_key(key)) == legacy)
        assert jax.random.normal(as_key(key)) == jax.random.normal(new)


def test_keys_of_another_implementation(gan):
    state = ganjax.init_state(gan, jax.random.key(0, impl="rbg"))
    assert state.key.dtype == jax.random.key(0, impl="rbg").dtype


def test_hyperparameters_may_be_traced():
    """Within `jit` or `vmap` a number has no value to be checked: the GAN is the same."""

    def trained(mean, scale, decay):
        gan = make_gan(by_hand.sequential, latent=ganjax.Normal(mean, scale), ema_decay=decay)
        state = ganjax.init_state(gan, jax.random.key(0))
        return ganjax.train_step(gan, state, jnp.ones((4, 2)))[0].ema.params

    several = jax.jit(jax.vmap(trained))(*map(jnp.float32, ([0.5, 0], [3, 1], [0.05, 0.5])))
    alone = jax.jit(lambda: trained(0.5, 3.0, 0.05))()
    for one, other in zip(several, alone, strict=True):
        np.testing.assert_allclose(one[0], other, rtol=1e-5, atol=1e-7)
    assert not all(np.allclose(one[0], one[1], rtol=1e-5, atol=1e-7) for one in several)


def test_many_hyperparameters_in_place_of_one_are_refused():
    with pytest.raises(TypeError):
        jax.jit(lambda scale: ganjax.Normal(0.0, scale)(jax.random.key(0), (2,)))(jnp.ones(2))


def test_float16_weights_are_warned_of_and_mixed_precision_is_not():
    def dense(policy, units):
        return keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(units, dtype=policy)])

    with pytest.warns(UserWarning, match="float16, in which small gradients .*mixed_float16"):
        GAN(dense("float16", 2), dense("float32", 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GAN(dense("mixed_float16", 2), dense("float32", 1))


MESHES = """
import jax

jax.config.update("jax_num_cpu_devices", 2)

import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from ganjax.checks import check_sharding

x = jnp.ones((4, 2))
explicit = jax.make_mesh((2,), ("batch",))
automatic = jax.make_mesh((2,), ("batch",), axis_types=(AxisType.Auto,))
for mesh, split, right in [
    (explicit, "batch", False), (explicit, None, True), (automatic, "batch", True), (automatic, None, True)
]:
    placed = jax.device_put(x, NamedSharding(mesh, PartitionSpec(split)))
    for check in (check_sharding, jax.jit(check_sharding)):
        try:
            check({"samples": placed, "key": jax.random.key(0)})
        except ValueError as error:
            assert not right, mesh
            assert "axis_types=(jax.sharding.AxisType.Auto,)" in str(error)
            assert "\\n" not in str(error)
        else:
            assert right, mesh
"""


def test_a_mesh_with_explicit_axes_is_refused():
    """In a process of its own, which has two devices."""
    subprocess.run([sys.executable, "-c", MESHES], check=True, cwd=Path(__file__).parent.parent)
