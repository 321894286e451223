"""A state as Keras models, and as plain arrays that go on with the same bits."""

from typing import NamedTuple

import by_hand
import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from by_hand import BATCH, KINDS, QUICK, make_gan
from jax import export

import ganjax

# One of each form; the last has every kind of statistics: moving averages, singular vectors, dropout's seeds.
NAMES = ("Functional", "subclassed", "patch of logits")

step = jax.jit(ganjax.train_step, static_argnums=0, compiler_options=QUICK)


@pytest.fixture(scope="module", params=NAMES)
def trained(request):
    gan = make_gan(KINDS[request.param])
    state = ganjax.init_state(gan, jax.random.key(1))
    for i in range(2):
        state, _ = step(gan, state, 1 + jax.random.normal(jax.random.key(i), (BATCH, *gan.sample_shape)))
    return gan, state


def predicted(model, x):
    """What Keras makes of a model, under promotion as Keras needs it."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return model(x)


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("ema", [True, False])
def test_models_predict_what_the_state_does(trained, key, ema):
    gan, state = trained
    generator, discriminator = ganjax.export_models(gan, state, ema=ema)
    latents = ganjax.sample_latent(gan, key, 3)
    samples = ganjax.decode(gan, state, latents, ema=ema)
    close(predicted(generator, latents), samples)
    for _ in range(2):  # a call changes nothing
        close(predicted(discriminator, samples), ganjax.discriminate(gan, state, samples))


# Keras's writer of weights calls np.array on its variables, whose __array__ knows no copy keyword yet.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_models_are_saved_and_loaded(trained, key, tmp_path):
    gan, state = trained
    models = ganjax.export_models(gan, state)
    latents = ganjax.sample_latent(gan, key, 3)
    samples = ganjax.decode(gan, state, latents)
    for model, inputs, outputs in (
        (models[0], latents, samples),
        (models[1], samples, ganjax.discriminate(gan, state, samples)),
    ):
        model.save(tmp_path / "model.keras")
        close(predicted(keras.models.load_model(tmp_path / "model.keras"), inputs), outputs)


def test_exported_models_share_nothing(trained, key):
    gan, state = trained
    given = (gan.generator, gan.discriminator)
    before = [np.array(v.value) for model in given for v in model.variables]
    arrays = ganjax.state_to_arrays(state)
    exported = ganjax.export_models(gan, state)
    again = ganjax.export_models(gan, state)
    for model in exported:
        for variable in model.variables:
            variable.assign(jnp.zeros_like(variable.value))
    after = [v.value for model in given for v in model.variables]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)
    for path, value in ganjax.state_to_arrays(state).items():
        np.testing.assert_array_equal(value, arrays[path])
    close(predicted(again[0], ganjax.sample_latent(gan, key, 3)), ganjax.generate(gan, state, key, 3))


def test_average_and_latest_differ(trained, key):
    gan, state = trained
    averaged, latest = (ganjax.export_models(gan, state, ema=ema)[0] for ema in (True, False))
    assert any(np.any(a.value != b.value) for a, b in zip(averaged.variables, latest.variables, strict=True))


def test_arrays_go_on_with_the_same_bits(trained, tmp_path):
    gan, state = trained
    np.savez(tmp_path / "state.npz", **ganjax.state_to_arrays(state))
    with np.load(tmp_path / "state.npz", allow_pickle=False) as arrays:
        restored = ganjax.arrays_to_state(gan, arrays)
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    for a, b in zip(jax.tree.leaves(restored), jax.tree.leaves(state), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
    assert ganjax.state_digest(restored) == ganjax.state_digest(state)
    real = jnp.ones((BATCH, *gan.sample_shape))
    a, b = (step(gan, s, real)[0] for s in (state, restored))
    for path, value in ganjax.state_to_arrays(a).items():
        np.testing.assert_array_equal(value, ganjax.state_to_arrays(b)[path], err_msg=path)
    assert ganjax.state_digest(a) == ganjax.state_digest(b) != ganjax.state_digest(state)


@pytest.fixture(scope="module")
def fresh():
    gan = make_gan(by_hand.batch_normalized)
    return gan, ganjax.init_state(gan, jax.random.key(0))


def test_paths(fresh):
    _, state = fresh
    arrays = ganjax.state_to_arrays(state)
    assert len(arrays) == len(jax.tree.leaves(state))
    assert all(type(value) is np.ndarray and value.dtype != object for value in arrays.values())
    np.testing.assert_array_equal(arrays["generator/params/0"], state.generator.params[0])
    adam = state.discriminator.optimizer[0]
    np.testing.assert_array_equal(arrays["discriminator/optimizer/0/mu/0"], adam.mu[0])
    np.testing.assert_array_equal(arrays["key"], jax.random.key_data(state.key))


def test_arrays_are_copies(fresh):
    """What is donated to a step afterwards must not pull them from under the caller."""
    gan, state = fresh
    state = jax.tree.map(jnp.copy, state)
    arrays = ganjax.state_to_arrays(state)
    kept = {path: value.copy() for path, value in arrays.items()}
    assert all(value.flags.owndata for value in arrays.values())
    donating = jax.jit(ganjax.train_step, static_argnums=0, donate_argnums=1, compiler_options=QUICK)
    donating(gan, state, jnp.ones((BATCH, 2)))
    for path, value in arrays.items():
        np.testing.assert_array_equal(value, kept[path])


def test_digest_sees_every_array(fresh):
    _, state = fresh
    digests = {ganjax.state_digest(state)}
    leaves, structure = jax.tree.flatten(state)
    changed = 0
    for i, leaf in enumerate(leaves):
        if leaf.size and leaf.dtype in (jnp.float32, jnp.int32):
            other = [*leaves[:i], leaf + jnp.ones((), leaf.dtype), *leaves[i + 1 :]]
            digests.add(ganjax.state_digest(jax.tree.unflatten(structure, other)))
            changed += 1
    assert len(digests) == 1 + changed
    assert ganjax.state_digest(state) == ganjax.state_digest(jax.tree.map(jnp.copy, state))


@pytest.mark.parametrize(
    "damage",
    [
        lambda arrays: arrays.pop("step"),
        lambda arrays: arrays.update(more=np.zeros(3)),
        lambda arrays: arrays.update(step=np.zeros((), np.float32)),
        lambda arrays: arrays.update({"generator/params/0": np.zeros((9, 9), np.float32)}),
        lambda arrays: arrays.update(key=np.zeros(4, np.uint32)),
    ],
    ids=["one too few", "one too many", "dtype", "shape", "key"],
)
def test_arrays_of_another_gan_are_refused(fresh, damage):
    gan, state = fresh
    arrays = ganjax.state_to_arrays(state)
    damage(arrays)
    with pytest.raises(ValueError, match="these arrays are not a state of this GAN") as error:
        ganjax.arrays_to_state(gan, arrays)
    assert "\n" not in str(error.value)


# As a program of jax.export.

OPTIMIZERS = {
    "adam": optax.adam(1e-3),
    "several steps": optax.MultiSteps(
        optax.chain(
            optax.clip_by_global_norm(1.0),
            optax.scale_by_adam(),
            optax.scale_by_schedule(optax.linear_schedule(-1e-3, 0.0, 10)),
        ),
        2,
    ),
}


def exported_step(gan, state, batch):
    """The written program of a step, read again."""
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), state)
    real = jax.ShapeDtypeStruct((batch, *gan.sample_shape), jnp.float32)
    program = jax.jit(lambda state, real: ganjax.train_step(gan, state, real))
    return export.deserialize(export.export(program)(shapes, real).serialize()).call


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_is_written_and_read(name, key):
    gan = make_gan(
        by_hand.sequential,
        generator_optimizer=OPTIMIZERS[name],
        discriminator_optimizer=OPTIMIZERS[name],
    )
    state = ganjax.init_state(gan, key)
    call = exported_step(gan, state, BATCH)
    real = jax.random.normal(jax.random.key(1), (BATCH, 2))
    ours, theirs = state, state
    for _ in range(2):
        theirs, metrics = call(theirs, real)
        ours, expected = step(gan, ours, real)
    assert jax.tree.structure(theirs) == jax.tree.structure(ours)
    assert ganjax.state_digest(theirs) == ganjax.state_digest(ours)
    assert metrics == expected


CONVOLUTIONS = by_hand.Kind(
    by_hand.chain(
        (3,),
        lambda: keras.layers.Dense(4 * 4 * 8),
        lambda: keras.layers.Reshape((4, 4, 8)),
        keras.layers.BatchNormalization,
        keras.layers.ReLU,
        lambda: keras.layers.Conv2DTranspose(3, 4, 2, "same"),
    ),
    by_hand.chain(
        (8, 8, 3),
        lambda: keras.layers.Conv2D(8, 4, 2, "same"),
        lambda: keras.layers.LeakyReLU(0.2),
        keras.layers.Flatten,
        lambda: keras.layers.Dense(1),
    ),
    None,
    None,
)


@pytest.mark.parametrize("kind", [by_hand.sequential, CONVOLUTIONS], ids=["dense", "convolutions"])
def test_one_program_for_batches_of_any_size(kind, key):
    gan = make_gan(kind)
    state = ganjax.init_state(gan, key)
    (batch,) = export.symbolic_shape("batch")
    call = jax.jit(exported_step(gan, state, batch))
    for n in (2, BATCH):
        real = jax.random.normal(jax.random.key(1), (n, *gan.sample_shape))
        ours, expected = step(gan, state, real)
        theirs, metrics = call(state, real)
        for name, value in expected.items():
            np.testing.assert_allclose(metrics[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
        for a, b in zip(theirs.generator.params, ours.generator.params, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


class Count(NamedTuple):
    """What a user's optimiser keeps."""

    count: jax.Array


def counting(name):
    """An optimiser whose state is of a class of its own, which always has this name."""
    kind = type(name, (Count,), {"__module__": __name__, "__qualname__": name})

    def init(params):
        return kind(jnp.zeros((), jnp.int32))

    def update(gradient, state, params=None):
        return jax.tree.map(lambda g: -0.1 * g, gradient), kind(state.count + 1)

    return optax.GradientTransformation(init, update)


def test_states_of_users_own_are_written(key):
    gan = make_gan(by_hand.sequential, generator_optimizer=counting("Mine"))
    state = ganjax.init_state(gan, key)
    after, _ = exported_step(gan, state, BATCH)(state, jnp.ones((BATCH, 2)))
    assert int(after.generator.optimizer.count) == 1
    assert type(after.generator.optimizer) is type(state.generator.optimizer)
    ganjax.init_state(
        make_gan(by_hand.sequential, generator_optimizer=counting("Mine")), key
    )  # defined again
