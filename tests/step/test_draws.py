"""What a step draws follows from the state's key and the step alone, and no two uses share a number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ganjax
from ganjax import networks
from ganjax.draws import draw
from ganjax.step import step_with_draws

BATCH = 4


def make_gan(**options):
    return ganjax.GAN(
        networks.mlp(3, [4], 2), networks.mlp(2, [4], 1), penalties=(ganjax.WGANGP(),), **options
    )


def numbers(drawn):
    """Every latent and every penalty key in it, as arrays."""
    leaves = jax.tree.leaves(drawn)
    return [
        np.asarray(jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x)
        for x in leaves
    ]


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
@pytest.mark.parametrize("n", [1, 3])
def test_shapes_and_independence(update, n):
    gan = make_gan(update=update, discriminator_updates=n)
    drawn = draw(gan, jax.random.key(0), jnp.int32(5), BATCH)
    latents = [one.latents for one in drawn.discriminator]
    assert len(latents) == n
    assert (drawn.generator is None) == (update == "simultaneous")
    latents += [] if drawn.generator is None else [drawn.generator.latents]
    assert {x.shape for x in latents} == {(BATCH, 3)}
    other_step = draw(gan, jax.random.key(0), jnp.int32(6), BATCH)
    values = [x.tobytes() for x in numbers(drawn) + numbers(other_step)]
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_many_steps_at_once_are_the_same_bits(update):
    gan = make_gan(update=update, discriminator_updates=2)
    key, steps = jax.random.key(3), jnp.arange(7, dtype=jnp.int32)
    at_once = jax.vmap(lambda step: draw(gan, key, step, BATCH))(steps)
    for i in steps:
        one = draw(gan, key, i, BATCH)
        for a, b in zip(numbers(one), numbers(jax.tree.map(lambda x, i=i: x[i], at_once)), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_a_step_is_its_draws_played(update):
    gan = make_gan(update=update, discriminator_updates=2)
    state = ganjax.init_state(gan, jax.random.key(0))
    real = jax.random.normal(jax.random.key(1), (2 * BATCH, 2))
    played = step_with_draws(gan, state, real, draw(gan, state.key, state.step, BATCH))
    stepped = ganjax.train_step(gan, state, real)
    for a, b in zip(numbers(played), numbers(stepped), strict=True):
        np.testing.assert_array_equal(a, b)
