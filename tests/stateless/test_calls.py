"""Keras models as pure functions, against Keras itself."""

import by_hand
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from by_hand import BATCH, KINDS
from keras import layers

from ganjax import stateless

close = np.testing.assert_allclose


def arrays(variables):
    return [jnp.array(v.value) for v in variables]


@pytest.fixture(scope="module", params=["subclassed", "Dropout", "SpectralNormalization", "patch of logits"])
def model(request):
    return KINDS[request.param].discriminator()


def inputs(model):
    return jax.random.normal(jax.random.key(2), (BATCH, *stateless.input_shape(model)))


def test_training_is_keras_stateless_call(model):
    params, statistics = arrays(model.trainable_variables), arrays(model.non_trainable_variables)
    x = inputs(model)
    y, after = stateless.call(model, params, statistics, x, training=True)
    with stateless.standard_promotion():
        expected, expected_after = model.stateless_call(params, statistics, x, training=True)
    close(y, expected, rtol=1e-6)
    for a, b in zip(after, expected_after, strict=True):
        np.testing.assert_array_equal(a, b)
    # Every kind here has statistics that a training call moves.
    assert all(np.any(a != b) for a, b in zip(after, statistics, strict=True))


def test_inference_keeps_the_statistics(model):
    params, statistics = arrays(model.trainable_variables), arrays(model.non_trainable_variables)
    y, after = stateless.call(model, params, statistics, inputs(model), training=False)
    again, _ = stateless.call(model, params, statistics, inputs(model), training=False)
    np.testing.assert_array_equal(y, again)
    for a, b in zip(after, statistics, strict=True):
        np.testing.assert_array_equal(a, b)


def test_inference_of_a_fresh_model_is_keras_own(model):
    """But for spectral normalisation, which Keras divides by only after a training call."""
    params, statistics = arrays(model.trainable_variables), arrays(model.non_trainable_variables)
    x = inputs(model)
    y, _ = stateless.call(model, params, statistics, x, training=False)
    with stateless.standard_promotion():
        expected = model(x, training=False)
    spectral = any(isinstance(layer, layers.SpectralNormalization) for layer in model._flatten_layers())
    assert np.allclose(y, expected, rtol=1e-5, atol=1e-6) != spectral


def test_values_in_the_model_are_neither_read_nor_written(model):
    before = [np.array(v.value) for v in model.variables]
    params = [jnp.full_like(v.value, 0.5) for v in model.trainable_variables]
    statistics = arrays(model.non_trainable_variables)
    run = jax.jit(lambda p, s, x: stateless.call(model, p, s, x, training=True))
    y, _ = run(params, statistics, inputs(model))
    for variable in model.trainable_variables:
        variable.assign(variable.value + 1)
    jax.clear_caches()
    again, _ = run(params, statistics, inputs(model))
    np.testing.assert_array_equal(y, again)
    for variable, value in zip(model.variables, before, strict=True):
        if variable.trainable:
            value = value + 1
            variable.assign(variable.value - 1)
            close(variable.value + 1, value, rtol=1e-6)
        else:
            np.testing.assert_array_equal(variable.value, value)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_rebuilt_model(kind):
    model = kind.generator()
    twin = stateless.rebuild(model)
    assert type(twin) is type(model)
    assert [v.shape for v in twin.variables] == [v.shape for v in model.variables]
    assert [v.name for v in twin.trainable_variables] == [v.name for v in model.trainable_variables]
    assert not {id(v) for v in twin.variables} & {id(v) for v in model.variables}


@keras.saving.register_keras_serializable()
class Refusing(keras.initializers.Initializer):
    """An initializer that nobody may ask for values."""

    def __call__(self, shape, dtype=None):
        raise AssertionError("values were drawn")


def test_models_are_built_without_drawing_values():
    def build():
        dense = layers.Dense(2, kernel_initializer=Refusing(), bias_initializer=Refusing())
        return keras.Sequential([keras.Input((3,)), dense])

    with pytest.raises(AssertionError, match="drawn"):
        build()
    model = stateless.without_values(build)
    assert [v.shape for v in model.trainable_variables] == [(3, 2), (2,)]
    x, kernel, bias = jnp.ones((4, 3)), jnp.full((3, 2), 2.0), jnp.arange(2.0)
    for described in (model, stateless.rebuild(model)):
        y, _ = stateless.call(described, [kernel, bias], [], x, training=False)
        np.testing.assert_array_equal(y, [[6.0, 7.0]] * 4)
        assert stateless.output_shape(described) == (2,)
    stateless.assign(model, [kernel, bias], [])
    with stateless.standard_promotion():
        np.testing.assert_array_equal(model(x), y)


def test_assigned_model_computes_what_call_does(model):
    params = [p + 0.1 for p in arrays(model.trainable_variables)]
    statistics = arrays(model.non_trainable_variables)
    twin = stateless.rebuild(model)
    stateless.assign(twin, params, statistics)
    y, _ = stateless.call(model, params, statistics, inputs(model), training=False)
    with stateless.standard_promotion():
        close(twin(inputs(model)), y, rtol=1e-5, atol=1e-6)


def test_wrong_number_of_weights_is_refused(model):
    params, statistics = arrays(model.trainable_variables), arrays(model.non_trainable_variables)
    with pytest.raises(ValueError, match=r"[Ii]nvalid variable value|zip"):
        stateless.call(model, params[:-1], statistics, inputs(model), training=True)


def test_caller_keeps_strict_promotion(model):
    params, statistics = arrays(model.trainable_variables), arrays(model.non_trainable_variables)
    stateless.call(model, params, statistics, inputs(model), training=False)
    with pytest.raises(ValueError, match="rank"):
        jnp.ones((2, 3)) + jnp.ones(3)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_shapes(kind):
    generator, discriminator = kind.generator(), kind.discriminator()
    assert stateless.input_shape(generator) == (3,)
    assert stateless.output_shape(generator) == stateless.input_shape(discriminator)
    logits = stateless.output_shape(discriminator)
    assert logits == ((2, 2, 1) if kind is by_hand.patch else (1,))


def test_nested_models_are_normalised_too():
    """A spectrally normalised layer deep inside a model is found."""
    x = keras.Input((2,))
    inner = keras.Sequential([keras.Input((2,)), layers.SpectralNormalization(layers.Dense(4))])
    model = keras.Model(x, layers.Dense(1)(inner(x)))
    params, statistics = stateless.initial_weights(model, jax.random.key(0))
    y, _ = stateless.call(model, params, statistics, inputs(model), training=False)
    bigger = [10 * params[0], *params[1:]]
    same, _ = stateless.call(model, bigger, statistics, inputs(model), training=False)
    close(y, same, rtol=1e-4, atol=1e-6)


# Functions that a step calls.


@pytest.fixture(scope="module")
def noise():
    return layers.GaussianNoise(0.1)


def test_functions_without_state_are_called_as_they_are(noise):
    mean = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.BatchNormalization()])

    def function(x, factor, *, bias):
        with stateless.standard_promotion():
            return factor * mean(noise(x, training=False), training=False) + bias

    x = jnp.ones((4, 3))
    wanted = function(x, 2.0, bias=1.0)
    np.testing.assert_array_equal(
        stateless.call_without_state(function, x, 2.0, bias=1.0, name="augment"), wanted
    )
    compiled = jax.jit(lambda x: stateless.call_without_state(function, x, 2.0, bias=1.0, name="augment"))
    np.testing.assert_allclose(compiled(x), wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("augment", "augment draws from a seed that Keras keeps.*use ganjax.augmentations.from_keras"),
        ("latent", "latent draws from a seed that Keras keeps.*: draw from its key"),
    ],
)
def test_a_function_that_draws_from_keras_is_refused(noise, name, message):
    before = np.array(noise.seed_generator.state.value)
    for call in (
        stateless.call_without_state,
        jax.jit(stateless.call_without_state, static_argnums=0, static_argnames="name"),
    ):
        with pytest.raises(TypeError, match=message) as error:
            call(lambda x: noise(x, training=True), jnp.ones((2, 3)), name=name)
        assert "\n" not in str(error.value)
    np.testing.assert_array_equal(noise.seed_generator.state.value, before)


def test_a_function_that_draws_from_the_global_seed_of_keras_is_refused():
    draw = jax.jit(stateless.call_without_state, static_argnums=0, static_argnames="name")
    with pytest.raises(TypeError, match=r"the loss draws from a seed that Keras keeps.*: draw from its key"):
        draw(lambda x: x + keras.random.normal((2,)), jnp.ones(2), name="the loss")


def test_a_function_that_changes_a_variable_is_refused():
    mean = keras.metrics.Mean()

    def loss(logits):
        mean.update_state(logits)
        return mean.result()

    with pytest.raises(
        TypeError, match=r"the loss changes the Keras variable '.*', which a compiled step cannot"
    ):
        stateless.call_without_state(loss, jnp.ones(3), name="the loss")
    assert float(mean.total.value) == 0
