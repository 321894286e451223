"""What training does with a model's variables, and a GAN that notices when its models are changed."""

import dataclasses

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from keras import layers

import ganjax
from ganjax import networks, stateless

FIFTY = (50.0, 10.0)


def sequential(shape, *parts):
    return keras.Sequential([keras.Input(shape), *parts])


def adapted(layer, mean, deviation, width=3):
    data = np.random.default_rng(0).normal(mean, deviation, (2_000, width)).astype("float32")
    with stateless.standard_promotion():
        layer.adapt(data)
    return layer


def frozen(layer):
    layer.trainable = False
    return layer


def fill(model, first):
    """Every variable of the model gets numbers of its own."""
    for i, variable in enumerate(model.variables):
        size = int(np.prod(variable.shape))
        variable.assign(np.arange(size, dtype="float32").reshape(variable.shape) / size + first + i)
    return model


def pretrained():
    parts = layers.Dense(3), layers.BatchNormalization(), layers.SpectralNormalization(layers.Dense(2))
    return frozen(fill(sequential((3,), *parts), 100.0))


class Counting(layers.Layer):
    """Counts its training calls, and holds a constant that it was made with."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)
        self.scale = self.add_weight(shape=(), initializer="ones", trainable=False)

    def call(self, x, training=False):
        if training:
            self.calls.assign(self.calls + 1)
        return x * self.scale


MODELS = {
    # layers, and the kinds of the non-trainable variables in the model's order
    "BatchNormalization": (lambda: sequential((3,), layers.Dense(3), layers.BatchNormalization()), "ss"),
    "frozen BatchNormalization": (
        lambda: sequential((3,), layers.Dense(3), frozen(layers.BatchNormalization())),
        "cccc",
    ),
    "SpectralNormalization": (lambda: sequential((3,), layers.SpectralNormalization(layers.Dense(2))), "s"),
    "frozen SpectralNormalization": (
        lambda: sequential((3,), layers.Dense(3), frozen(layers.SpectralNormalization(layers.Dense(2)))),
        "ccc",
    ),
    "Normalization": (lambda: sequential((3,), layers.Normalization(), layers.Dense(2)), "ccc"),
    "Dropout": (lambda: sequential((3,), layers.Dropout(0.5), layers.Dense(2)), "k"),
    "nested": (lambda: sequential((3,), layers.Dense(3), pretrained()), "c" * 9),
    "a layer of one's own": (lambda: sequential((3,), Counting(), layers.Dense(2)), "sc"),
    "fixed batch": (
        lambda: keras.Sequential(
            [keras.Input(batch_shape=(4, 3)), layers.Dense(2), layers.BatchNormalization()]
        ),
        "ss",
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_kinds(name):
    """s: a statistic that a training call updates; c: a constant; k: a seed, which follows from the key."""
    make, expected = MODELS[name]
    with stateless.standard_promotion():
        model = make()
    shown = stateless.snapshot(model)

    def kind(variable):
        if shown.is_seed(variable):
            return "k"
        return "c" if id(variable) in shown.constants else "s"

    assert "".join(sorted(map(kind, model.non_trainable_variables))) == "".join(sorted(expected))


@pytest.fixture(scope="module")
def gan():
    """G ends in an adapted inverse normalisation, D begins with one, then comes a frozen model."""
    generator = sequential((3,), layers.Dense(3), adapted(layers.Normalization(invert=True), *FIFTY))
    parts = adapted(layers.Normalization(), *FIFTY), pretrained(), layers.Dense(1)
    return ganjax.GAN(generator, sequential((3,), *parts), discriminator_optimizer=optax.sgd(0.1))


@pytest.fixture(scope="module")
def state(gan):
    return ganjax.init_state(gan, jax.random.key(0))


def values(model):
    return [np.asarray(v.value) for v in model.non_trainable_variables]


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_constants_are_those_of_the_models(gan, state):
    assert_same(state.generator.statistics, values(gan.generator))
    assert_same(state.ema.statistics, values(gan.generator))
    assert_same(state.discriminator.statistics, values(gan.discriminator))


def test_a_step_keeps_constants_and_trains_the_rest(gan, state):
    real = 50 + 10 * jax.random.normal(jax.random.key(1), (8, 3))
    new, metrics = ganjax.train_step(gan, state, real)
    assert_same(new.generator.statistics, state.generator.statistics)
    assert_same(new.discriminator.statistics, state.discriminator.statistics)
    assert np.any(new.discriminator.params[0] != state.discriminator.params[0])
    assert float(metrics["finite"]) == 1


def test_samples_and_exported_models_are_adapted(gan, state, key):
    latents = ganjax.sample_latent(gan, key, 200)
    samples = ganjax.decode(gan, state, latents)
    np.testing.assert_allclose(np.mean(samples, 0), 50, atol=5)
    generator, discriminator = ganjax.export_models(gan, state)
    with stateless.standard_promotion():
        np.testing.assert_allclose(generator(latents), samples, rtol=1e-5)
        logits = discriminator(samples)
    np.testing.assert_allclose(ganjax.discriminate(gan, state, samples), logits, rtol=1e-4)


def test_arrays_carry_what_adapt_computed(gan, state, key):
    """A state read into the same networks, not adapted, gives the same samples."""
    generator = sequential((3,), layers.Dense(3), layers.Normalization(invert=True))
    other = dataclasses.replace(gan, generator=generator)
    mean = generator.layers[-1].mean
    restored = ganjax.arrays_to_state(other, ganjax.state_to_arrays(state))
    np.testing.assert_array_equal(
        ganjax.generate(other, restored, key, 4), ganjax.generate(gan, state, key, 4)
    )
    assert generator.layers[-1].mean is mean  # the model is as it was


def test_traceable(gan, key):
    keys = jax.random.split(key, 2)
    population = jax.jit(jax.vmap(ganjax.init_state, (None, 0)), static_argnums=0)(gan, keys)
    for i in range(2):
        assert_same([x[i] for x in population.discriminator.statistics], values(gan.discriminator))
    assert np.any(population.generator.params[0][0] != population.generator.params[0][1])


def test_a_donated_state_does_not_take_the_models_arrays(gan, key):
    step = jax.jit(ganjax.train_step, static_argnums=0, donate_argnums=1)
    step(gan, ganjax.init_state(gan, key), jnp.ones((4, 3)))
    assert not any(v.value.is_deleted() for v in gan.discriminator.variables)


def test_fourier_features_are_frozen_and_drawn_from_the_key(key):
    model = networks.mlp(2, [4], 1, fourier_features=3)
    start = stateless.snapshot(model)
    one, again, other = (
        stateless.initial_weights(model, k, start)[1][0] for k in (key, key, jax.random.key(1))
    )
    np.testing.assert_array_equal(one, again)
    assert np.all(one != other)


# What is changed after the GAN was made.


def make_gan():
    parts = layers.Dense(4, name="first"), frozen(layers.Dense(4, name="second")), layers.Dense(1)
    return ganjax.GAN(sequential((3,), layers.Dense(2)), sequential((2,), *parts))


def test_equal_gans(key):
    gan = make_gan()
    same = ganjax.GAN(gan.generator, gan.discriminator)
    assert gan == same
    assert hash(gan) == hash(same)
    compiled = jax.jit(lambda gan, key: ganjax.init_state(gan, key), static_argnums=0)
    before = compiled(gan, key)
    compiled(same, key)
    assert compiled._cache_size() == 1
    fill(gan.discriminator.layers[1], 7.0)
    new = ganjax.GAN(gan.generator, gan.discriminator)
    assert new != same
    after = compiled(new, key)
    assert compiled._cache_size() == 2
    assert np.any(after.discriminator.statistics[0] != before.discriminator.statistics[0])
    assert_same(after.discriminator.params, before.discriminator.params)


def change_trainable(model):
    model.layers[0].trainable = False


def change_constant(model):
    fill(model.layers[1], 7.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_trainable, r"^`trainable` of 'first' in the model '\w+' was changed after the GAN was made"),
        (change_constant, r"^the value of '\w+/second/kernel', which is not trained, in the model '\w+' was"),
    ],
)
def test_a_changed_model_is_refused(change, message, key):
    """Also by functions that were compiled before."""
    gan, real = make_gan(), jnp.ones((4, 2))
    init = jax.jit(ganjax.init_state, static_argnums=0)
    step = jax.jit(ganjax.train_step, static_argnums=0)
    state = init(gan, key)
    step(gan, state, real)
    change(gan.discriminator)
    for use in (
        lambda: hash(gan),
        lambda: init(gan, key),
        lambda: step(gan, state, real),
        lambda: ganjax.init_state(gan, key),
        lambda: ganjax.train_step(gan, state, real),
        lambda: ganjax.generate(gan, state, key, 2),
        lambda: ganjax.discriminate(gan, state, real),
    ):
        with pytest.raises(ValueError, match=message) as error:
            use()
        assert "\n" not in str(error.value)
    again = dataclasses.replace(gan)
    ganjax.train_step(again, ganjax.init_state(again, key), real)


def test_the_same_numbers_assigned_again_are_no_change(key):
    gan = make_gan()
    ganjax.init_state(gan, key)
    for variable in gan.discriminator.variables:
        variable.assign(jnp.copy(variable.value))
    hash(gan)


def test_values_that_training_changes_may_be_changed(key):
    gan = make_gan()
    state = ganjax.init_state(gan, key)
    fill(gan.generator, 3.0)
    hash(gan)
    assert_same(ganjax.init_state(gan, key).generator.params, state.generator.params)
