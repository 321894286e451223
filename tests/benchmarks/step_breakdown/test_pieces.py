import dataclasses

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras import layers

import ganjax
from benchmarks.step_breakdown import pieces
from ganjax.networks import dcgan, mlp

BATCH = 512


@pytest.fixture(scope="module")
def gan():
    """Only products, and so many that everything else that XLA counts is a few per cent."""

    def linear(*widths):
        return keras.Sequential(
            [keras.Input((64,)), *(layers.Dense(width, use_bias=False) for width in widths)]
        )

    return ganjax.GAN(linear(512, 64), linear(512, 64, 1))


@pytest.fixture(scope="module")
def compiled(gan):
    state = ganjax.init_state(gan, jax.random.key(0))
    real = jnp.ones((BATCH, 64))
    return {name: jax.jit(f).lower(state, real).compile() for name, f in pieces.programs(gan).items()}


def test_what_is_left_out_is_not_computed(gan, compiled):
    """XLA counts the operations of the programs; the differences are those of the parts."""
    found = pieces.split({name: program.cost_analysis()["flops"] for name, program in compiled.items()})
    counted = pieces.operations(gan, BATCH)
    rest = 0.05 * counted[pieces.WHOLE]
    for piece in ("G forward", "D forward, real and fake", "G backward"):
        assert found[piece] == pytest.approx(counted[piece], abs=rest)
    # A step may compute both gradients in one backward pass through D(fake): its work is in either part.
    back = ("D backward", "G's gradient through D(fake)")
    assert sum(found[p] for p in back) <= sum(counted[p] for p in back) + rest
    assert found["D backward"] >= counted["D backward"] * 0.5
    for piece in ("Adam, both networks", "EMA, other metrics", "call, latents"):
        assert 0 < found[piece] < rest


def test_programs_return_a_whole_state(gan, compiled):
    state = ganjax.init_state(gan, jax.random.key(0))
    real = jnp.ones((BATCH, 64))
    after, _ = ganjax.train_step(gan, state, real)
    for name, program in compiled.items():
        new, results = program(state, real)
        assert int(new.step) == 1
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(results)), name
        params = jax.tree.leaves((new.generator.params, new.discriminator.params))
        expected = after if name in ("Adam", pieces.WHOLE) else state
        for a, b in zip(
            params, jax.tree.leaves((expected.generator.params, expected.discriminator.params)), strict=True
        ):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_pieces_add_up_to_the_step(gan):
    rng = np.random.default_rng(0)
    seconds = {name: rng.uniform() for name in (*pieces.programs(gan), pieces.NORMALIZATION)}
    found = pieces.split(seconds)
    assert sum(found[piece] for piece in pieces.PIECES) == pytest.approx(seconds[pieces.WHOLE])
    assert list(found) == [*pieces.PIECES, pieces.WHOLE, pieces.NORMALIZATION]
    assert found[pieces.NORMALIZATION] == seconds[pieces.WHOLE] - seconds[pieces.NORMALIZATION]


@pytest.mark.parametrize(
    "model",
    [
        lambda: dcgan.dcgan_generator(32, 4),
        lambda: dcgan.dcgan_discriminator(32, 4, "batch"),
        lambda: dcgan.dcgan_discriminator(32, 4, "layer"),
        lambda: dcgan.dcgan_discriminator(32, 4, "spectral"),
    ],
)
def test_rebuilt_without_normalisation(model):
    model = model()
    rebuilt = pieces.without_normalization(model)
    kinds = (*pieces.NORMALIZATIONS, layers.SpectralNormalization)
    assert any(isinstance(layer, kinds) for layer in model.layers)
    assert not any(isinstance(layer, kinds) for layer in rebuilt.layers)
    assert (rebuilt.input_shape, rebuilt.output_shape) == (model.input_shape, model.output_shape)
    kernels = [v.shape for v in model.trainable_variables if len(v.shape) > 1]
    assert [v.shape for v in rebuilt.trainable_variables if len(v.shape) > 1] == kernels


def test_a_model_without_normalisation_stays():
    assert pieces.without_normalization(mlp(2, [4], 1)) is None


def test_the_step_uses_the_transform_of_the_gan(gan):
    """All programs except "call" use the transform."""
    calls = []
    marked = dataclasses.replace(gan, transform=lambda function: calls.append(function) or function)
    state = jax.eval_shape(lambda: ganjax.init_state(gan, jax.random.key(0)))
    real = jax.ShapeDtypeStruct((BATCH, 64), jnp.float32)
    for name, program in pieces.programs(marked).items():
        calls.clear()
        jax.eval_shape(program, state, real)
        assert bool(calls) == (name != "call")
