"""The state before the first step: every weight drawn by its own initializer, from the key alone."""

import dataclasses
import random
from typing import Any

import by_hand
import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from keras import initializers, layers
from keras.src.backend.common import global_state

import ganjax
from ganjax import stateless

WIDE = 512
INITIALIZERS = {
    "glorot_uniform": initializers.GlorotUniform(),
    "he_normal": initializers.HeNormal(),
    "dcgan": initializers.RandomNormal(0.0, 0.02),
    "shifted": initializers.RandomUniform(1.0, 3.0),
    "seeded": initializers.RandomNormal(0.0, 1.0, seed=7),
    "seeded_alike": initializers.RandomNormal(0.0, 1.0, seed=7),
    "truncated": initializers.TruncatedNormal(0.0, 0.5),
    "orthogonal": initializers.Orthogonal(),
    "constant": initializers.Constant(0.25),
    "zeros": initializers.Zeros(),
}


@pytest.fixture(scope="module")
def wide_gan():
    """The generator has one square layer of every initializer, each with a bias of ones."""
    parts = [
        layers.Dense(WIDE, kernel_initializer=initializer, bias_initializer="ones", name=name)
        for name, initializer in INITIALIZERS.items()
    ]
    generator = keras.Sequential([keras.Input((WIDE,)), *parts])
    return ganjax.GAN(generator, keras.Sequential([keras.Input((WIDE,)), layers.Dense(1)]))


@pytest.fixture(scope="module")
def weights(wide_gan):
    params = ganjax.init_state(wide_gan, jax.random.key(1)).generator.params
    assert all(np.all(np.asarray(bias) == 1) for bias in params[1::2])
    return dict(zip(INITIALIZERS, map(np.asarray, params[::2]), strict=True))


# The standard deviation of 512 x 512 draws is known to 0.14 %, their mean to 0.2 % of it.


@pytest.mark.parametrize(
    ("name", "mean", "deviation"),
    [
        ("glorot_uniform", 0, np.sqrt(2 / (WIDE + WIDE))),
        ("he_normal", 0, np.sqrt(2 / WIDE)),
        ("dcgan", 0, 0.02),
        ("shifted", 2, 2 / np.sqrt(12)),
        ("seeded", 0, 1),
        ("truncated", 0, 0.5 * 0.8796),  # a normal cut at two standard deviations
    ],
)
def test_moments_are_the_initializers(weights, name, mean, deviation):
    assert np.std(weights[name]) == pytest.approx(deviation, rel=0.01)
    assert np.mean(weights[name]) == pytest.approx(mean, abs=0.01 * deviation)


def test_range_of_uniform(weights):
    limit = np.sqrt(6 / (WIDE + WIDE))
    assert np.all(np.abs(weights["glorot_uniform"]) <= limit)
    assert np.all((weights["shifted"] >= 1) & (weights["shifted"] < 3))


def test_constants(weights):
    assert np.all(weights["constant"] == 0.25)
    assert np.all(weights["zeros"] == 0)


def test_orthogonal_is_orthogonal(weights):
    product = weights["orthogonal"].T @ weights["orthogonal"]
    np.testing.assert_allclose(product, np.eye(WIDE), atol=1e-5)


def test_seed_of_an_initializer_is_overruled(weights, wide_gan):
    """Else two layers of one seed would be equal, and every key give the same weights."""
    assert np.mean(weights["seeded"] == weights["seeded_alike"]) < 0.01
    other = ganjax.init_state(wide_gan, jax.random.key(2)).generator.params
    for name, kernel in zip(INITIALIZERS, other[::2], strict=True):
        if name not in ("constant", "zeros"):
            assert np.mean(weights[name] == np.asarray(kernel)) < 0.01, name


def test_layers_are_drawn_independently(weights):
    drawn = [weights[name].ravel() for name in ("glorot_uniform", "he_normal", "dcgan", "seeded")]
    assert np.max(np.abs(np.corrcoef(drawn) - np.eye(4))) < 0.02


GANS = ("Dropout", "subclassed", "patch of logits")


@pytest.fixture(scope="module", params=GANS)
def gan(request):
    return by_hand.make_gan(by_hand.KINDS[request.param])


def bits(state):
    return ganjax.state_to_arrays(state)


def assert_same_bits(a, b):
    a, b = bits(a), bits(b)
    assert a.keys() == b.keys()
    for path in a:
        assert a[path].dtype == b[path].dtype, path
        np.testing.assert_array_equal(a[path], b[path], err_msg=path)


def test_statistics_start_as_their_initializers_say(gan, key):
    state = ganjax.init_state(gan, key)
    for model, network in ((gan.generator, state.generator), (gan.discriminator, state.discriminator)):
        assert len(network.params) == len(model.trainable_variables)
        weights = [*network.params, *network.statistics]
        variables = [*model.trainable_variables, *model.non_trainable_variables]
        for variable, value in zip(variables, weights, strict=True):
            assert value.shape == variable.shape
            assert value.dtype == jnp.dtype(variable.dtype)
            if variable.name in ("gamma", "moving_variance"):
                assert np.all(np.asarray(value) == 1)
            elif variable.name in ("beta", "bias", "moving_mean"):
                assert np.all(np.asarray(value) == 0)
            else:
                assert len(np.unique(value)) == value.size, variable.path  # kernels, u, seeds: drawn


def test_same_key_same_bits_other_key_others(gan, key):
    assert_same_bits(ganjax.init_state(gan, key), ganjax.init_state(gan, key))
    a, b = bits(ganjax.init_state(gan, key)), bits(ganjax.init_state(gan, jax.random.key(1)))
    for path in a:
        name = path.split("/")
        if name[1:2] == ["params"] and a[path].ndim > 1:
            assert not np.any(a[path] == b[path]), path
    assert np.any(a["key"] != b["key"])


def test_legacy_keys_give_the_same_bits(gan, key):
    legacy = jax.random.key_data(key)
    assert legacy.dtype == jnp.uint32
    assert_same_bits(ganjax.init_state(gan, legacy), ganjax.init_state(gan, key))
    assert_same_bits(ganjax.init_state(gan, np.asarray(legacy)), ganjax.init_state(gan, key))


def test_jit_and_vmap_equal_single_states(gan):
    keys = jax.random.split(jax.random.key(3), 2)
    population = jax.jit(jax.vmap(ganjax.init_state, (None, 0)), static_argnums=0)(gan, keys)
    for i, key in enumerate(keys):
        member = bits(jax.tree.map(lambda x, i=i: x[i], population))
        for path, value in bits(ganjax.init_state(gan, key)).items():
            if np.issubdtype(value.dtype, np.floating):
                np.testing.assert_allclose(member[path], value, rtol=1e-5, atol=1e-6, err_msg=path)
            else:
                np.testing.assert_array_equal(member[path], value, err_msg=path)


def test_start(gan, key):
    state = ganjax.init_state(gan, key)
    assert state.step.dtype == jnp.int32
    assert int(state.step) == 0
    assert jnp.issubdtype(state.key.dtype, jax.dtypes.prng_key)
    assert state.key.shape == ()
    for a, b in zip(jax.tree.leaves(state.ema), [*state.generator.params, *state.generator.statistics],
                    strict=True):  # fmt: skip
        np.testing.assert_array_equal(a, b)
    addresses = [x.unsafe_buffer_pointer() for x in jax.tree.leaves(state) if x.dtype == jnp.float32]
    assert len(addresses) == len(set(addresses))  # so that the whole state can be donated
    adam = state.discriminator.optimizer[0]
    assert int(adam.count) == 0
    assert all(np.all(np.asarray(m) == 0) for m in adam.mu)


def test_optimizers_of_each_network(key):
    gan = by_hand.make_gan(
        by_hand.sequential,
        generator_optimizer=optax.sgd(0.1, momentum=0.9),
        discriminator_optimizer=optax.lion(1e-3),
    )
    state = ganjax.init_state(gan, key)
    expected = optax.sgd(0.1, momentum=0.9).init(state.generator.params)
    assert jax.tree.structure(state.generator.optimizer) == jax.tree.structure(expected)
    expected = optax.lion(1e-3).init(state.discriminator.params)
    assert jax.tree.structure(state.discriminator.optimizer) == jax.tree.structure(expected)


def test_nothing_outside_is_read_or_changed(gan, key):
    models = (gan.generator, gan.discriminator)
    before = [[np.array(v.value) for v in model.variables] for model in models]
    first = bits(ganjax.init_state(gan, key))
    names = [layers.Dense(1).name, layers.BatchNormalization().name]
    pending = global_state.get_global_attribute("uninitialized_variables")
    pending = list(pending or [])
    python, numpy = random.getstate(), np.random.get_state()[1].tolist()
    global_seed = keras.src.random.seed_generator.global_seed_generator().state
    global_seed_before = np.array(global_seed.value)

    random.seed(3)  # another state of the world
    second = bits(ganjax.init_state(gan, key))
    assert random.getstate() == random.Random(3).getstate()
    random.setstate(python)
    gan = ganjax.GAN(*models)
    ganjax.init_state(gan, key)

    assert random.getstate() == python
    assert np.random.get_state()[1].tolist() == numpy
    np.testing.assert_array_equal(global_seed.value, global_seed_before)
    assert list(global_state.get_global_attribute("uninitialized_variables") or []) == pending
    for name, now in zip(names, (layers.Dense(1).name, layers.BatchNormalization().name), strict=True):
        assert following(name) == now
    for path in first:
        np.testing.assert_array_equal(first[path], second[path], err_msg=path)
    for model, values in zip(models, before, strict=True):
        for variable, value in zip(model.variables, values, strict=True):
            np.testing.assert_array_equal(variable.value, value)


def following(name):
    """Keras's next automatic name: dense, dense_1, dense_2, ..."""
    stem, _, number = name.rpartition("_")
    return f"{stem}_{int(number) + 1}" if number.isdigit() else f"{name}_1"


def test_values_of_the_models_play_no_part(key):
    gan = by_hand.make_gan(by_hand.batch_normalized)
    before = ganjax.init_state(gan, key)
    for model in (gan.generator, gan.discriminator):
        for variable in model.variables:
            variable.assign(jnp.full(variable.shape, 9.0))
    assert_same_bits(ganjax.init_state(gan, key), before)


def test_traceable_without_effects(key):
    gan = by_hand.make_gan(by_hand.patch)
    jaxpr = jax.make_jaxpr(ganjax.init_state, static_argnums=0)(gan, key)
    assert not jaxpr.effects


def test_second_call_does_not_recompile():
    gan = by_hand.make_gan(by_hand.dropped_out)
    init = jax.jit(ganjax.init_state, static_argnums=0)
    init(gan, jax.random.key(0))
    compiled = init._cache_size()  # of this function in the whole process: other tests compile it too
    init(gan, jax.random.key(1))
    assert init._cache_size() == compiled


# From trained values.


def trained_like(kind, shift):
    """A pair of models, each value moved by `shift` from the one that Keras drew."""
    models = (kind.generator(), kind.discriminator())
    for model in models:
        for variable in model.variables:
            if jnp.issubdtype(variable.dtype, jnp.floating):
                variable.assign(variable.value + shift)
    return models


def assert_holds(model, network):
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    for variable, value in zip(variables, [*network.params, *network.statistics], strict=True):
        if variable.dtype != "uint32":  # seeds follow from the key
            np.testing.assert_array_equal(variable.value, value, err_msg=variable.path)


@pytest.mark.parametrize("name", GANS)
def test_weights_of_the_models(name, key):
    kind = by_hand.KINDS[name]
    gan = ganjax.GAN(*trained_like(kind, 0.25))
    state = ganjax.init_state(gan, key, weights="models")
    assert_holds(gan.generator, state.generator)
    assert_holds(gan.generator, state.ema)
    assert_holds(gan.discriminator, state.discriminator)
    fresh = ganjax.init_state(gan, key)
    assert jax.tree.structure(state) == jax.tree.structure(fresh)
    arrays, others = bits(state), bits(fresh)
    for path, value in arrays.items():
        assert (value.shape, value.dtype) == (others[path].shape, others[path].dtype), path
        if "optimizer" in path or value.dtype == np.uint32:
            np.testing.assert_array_equal(value, others[path], err_msg=path)


def test_weights_are_those_of_when_the_gan_was_made(key):
    models = trained_like(by_hand.sequential, 0.5)
    gan = ganjax.GAN(*models)
    before = bits(ganjax.init_state(gan, key, weights="models"))
    models[0].variables[0].assign(jnp.zeros(models[0].variables[0].shape))
    after = bits(ganjax.init_state(gan, key, weights="models"))
    for path in before:
        np.testing.assert_array_equal(before[path], after[path], err_msg=path)


def test_weights_of_other_models(key):
    gan = by_hand.make_gan(by_hand.patch)
    G, D = trained_like(by_hand.patch, 0.5)
    fresh = ganjax.init_state(gan, key)
    state = ganjax.init_state(gan, key, generator=G)
    assert_holds(G, state.generator)
    assert_holds(G, state.ema)
    for a, b in zip(state.discriminator.params, fresh.discriminator.params, strict=True):
        np.testing.assert_array_equal(a, b)
    state = ganjax.init_state(gan, key, weights="models", discriminator=D)
    assert_holds(gan.generator, state.generator)
    assert_holds(D, state.discriminator)


def test_frozen_layers_are_matched_whatever_the_other_model_trains(key):
    G, D = trained_like(by_hand.patch, 0.5)
    gan = by_hand.make_gan(by_hand.patch)
    gan.generator.layers[0].trainable = False
    gan = ganjax.GAN(gan.generator, gan.discriminator)
    state = ganjax.init_state(gan, key, generator=G, discriminator=D)
    np.testing.assert_array_equal(state.generator.statistics[0], G.layers[0].kernel)
    np.testing.assert_array_equal(state.generator.params[0], G.layers[2].gamma)


def test_models_written_by_a_state_start_it_again(key):
    gan = by_hand.make_gan(by_hand.batch_normalized)
    before = ganjax.init_state(gan, key)
    G, D = ganjax.export_models(gan, before)
    after = ganjax.init_state(gan, jax.random.key(9), generator=G, discriminator=D)
    for a, b in ((after.generator, before.generator), (after.discriminator, before.discriminator)):
        for x, y in zip([*a.params, *a.statistics], [*b.params, *b.statistics], strict=True):
            np.testing.assert_array_equal(x, y)


def test_a_state_of_trained_values_can_be_donated(key):
    models = trained_like(by_hand.batch_normalized, 0.5)
    gan = ganjax.GAN(*models)
    state = ganjax.init_state(gan, key, weights="models", generator=models[0])
    held = [v.value for model in models for v in model.variables]
    floats = [x for x in [*jax.tree.leaves(state), *held] if x.dtype == jnp.float32]
    assert len({x.unsafe_buffer_pointer() for x in floats}) == len(floats)
    jax.jit(lambda state: jax.tree.map(lambda x: x, state), donate_argnums=0)(state)
    assert not any(x.is_deleted() for x in held)


def test_trained_values_are_traceable():
    models = trained_like(by_hand.sequential, 0.5)
    gan = ganjax.GAN(*models)
    keys = jax.random.split(jax.random.key(3), 2)
    init = jax.jit(jax.vmap(lambda key: ganjax.init_state(gan, key, weights="models")))
    population = init(keys)
    init(keys)
    assert init._cache_size() == 1
    for i in range(2):
        assert_holds(models[0], jax.tree.map(lambda x, i=i: x[i], population.generator))
    shapes = jax.eval_shape(lambda key: ganjax.init_state(gan, key, weights="models"), keys[0])
    assert shapes.generator.params[0].shape == (3, 4)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"weights": "trained"}, ValueError, 'weights must be "fresh" or "models", got \'trained\''),
        ({"generator": "runs/ring"}, TypeError, "generator must be a built Keras model, got 'runs/ring'"),
        (
            {"discriminator": by_hand.functional.discriminator},
            ValueError,
            "given as discriminator is not like the GAN's: it has '.*kernel' .* where the GAN's has",
        ),
        (
            {"generator": by_hand.chain((3,), lambda: layers.Dense(4, "relu"))},
            ValueError,
            "it has nothing where",
        ),
    ],
)
def test_what_cannot_be_started_from_is_refused(settings, kind, message, key):
    gan = by_hand.make_gan(by_hand.sequential)
    settings = {name: value() if callable(value) else value for name, value in settings.items()}
    with pytest.raises(kind, match=message) as error:
        ganjax.init_state(gan, key, **settings)
    assert "\n" not in str(error.value)


def test_models_without_values_are_refused(key):
    gan = stateless.without_values(lambda: by_hand.make_gan(by_hand.sequential))
    with pytest.raises(ValueError, match="holds no values to start from") as error:
        ganjax.init_state(gan, key, weights="models")
    assert "\n" not in str(error.value)
    made = stateless.without_values(by_hand.sequential.generator)
    with pytest.raises(ValueError, match="holds no values to start from"):
        ganjax.init_state(by_hand.make_gan(by_hand.sequential), key, generator=made)


def test_each_network_has_a_loss_scale_of_its_own(key):
    scaling = ganjax.LossScale(initial=64.0)

    @dataclasses.dataclass(frozen=True)
    class Scaled(ganjax.GAN):
        loss_scale: Any = scaling

    state = ganjax.init_state(Scaled(by_hand.sequential.generator(), by_hand.sequential.discriminator()), key)
    assert state.generator.loss_scale == scaling.init() == state.discriminator.loss_scale
    buffers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves(state) if x.dtype == jnp.float32]
    assert len(set(buffers)) == len(buffers)
    plain = ganjax.init_state(by_hand.make_gan(by_hand.sequential), key)
    assert plain.generator.loss_scale is None
    assert not any("scale" in path for path in bits(plain))
