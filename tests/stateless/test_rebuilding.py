"""Models that Keras cannot make again from a configuration: their initial weights, and their export."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras import layers

import ganjax
from ganjax import stateless
from ganjax.stateless import rebuilding


def sequential(*parts):
    return keras.Sequential([keras.Input((3,)), *parts])


def squashed(x):
    return keras.ops.tanh(x) * 1.5


def quarters(shape, dtype=None):
    return jnp.full(shape, 0.25, dtype)


@keras.saving.register_keras_serializable("test_rebuilding")
class Table(layers.Layer):
    """Holds one array that is trained and one that is not."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.gain = keras.Variable(np.full((1, 3), 2.0, "float32"))
        self.shift = keras.Variable(np.arange(3.0, dtype="float32")[None], trainable=False)

    def call(self, x):
        return x * self.gain + self.shift


class Plainest(keras.Model):
    """No `**kwargs`, no `build`, no `get_config`."""

    def __init__(self):
        super().__init__()
        self.a = layers.Dense(3)

    def call(self, x):
        return self.a(x)


class Scaled(layers.Layer):
    """A layer with weights and a layer of its own, made from a function."""

    def __init__(self, initializer):
        super().__init__()
        self.initializer = initializer
        self.inner = [layers.Dense(3)]

    def build(self, shape):
        self.scale = self.add_weight(shape=(1, 3), initializer=self.initializer)
        self.inner[0].build(shape)

    def call(self, x):
        return self.inner[0](x) * self.scale


class NoBase(layers.Layer):
    """Its configuration leaves out that of the base class, so `trainable = False` is lost."""

    def __init__(self, units=3):
        super().__init__()
        self.units = units

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], self.units))

    def call(self, x):
        return x @ self.w

    def get_config(self):
        return {"units": self.units}


class Holding(keras.Model):
    """Keeps a model, a list of layers and a function."""

    def __init__(self, inner, function):
        super().__init__()
        self.inner, self.function = inner, function
        self.parts = [layers.Dense(3), layers.Dropout(0.5)]

    def call(self, x, training=False):
        for part in self.parts:
            x = part(x, training=training)
        return self.function(self.inner(x, training=training))


class Doubled(keras.Sequential):
    def call(self, x, **options):
        return 2 * super().call(x, **options)


class Forgetful(keras.Model):
    """Its configuration lacks what shapes its weights."""

    def __init__(self, units=1):
        super().__init__()
        self.dense = layers.Dense(units)

    def build(self, shape):
        self.dense.build(shape)

    def call(self, x):
        return self.dense(x)

    def get_config(self):
        return {}


def called(model):
    model(np.zeros((2, 3), "float32"))
    return model


def compiled():
    inner = sequential(layers.Dense(4), layers.BatchNormalization(), layers.Dense(3))
    model = called(Holding(inner, lambda x: 2 * x))
    model.compile("adam", "mse")
    return model


def functional():
    x = keras.Input((3,))
    pair = [
        layers.Dense(3, activation=squashed)(x),
        keras.ops.sin(layers.Dense(3, activation=jax.nn.gelu)(x)),
    ]
    return keras.Model(x, layers.Lambda(lambda pair: pair[0] + pair[1])(pair))


def frozen(layer):
    layer.trainable = False
    return layer


MODELS = {
    "jax.nn.swish": lambda: sequential(layers.Dense(3, activation=jax.nn.swish)),
    "a function": lambda: sequential(layers.Dense(3, activation=squashed)),
    "a lambda": lambda: sequential(layers.Dense(3, activation=lambda x: 2 * x)),
    "Lambda": lambda: sequential(layers.Dense(3), layers.Lambda(lambda x: 2 * x)),
    "an initializer": lambda: sequential(layers.Dense(3, kernel_initializer=quarters)),
    "arrays": lambda: sequential(layers.Dense(3), Table()),
    "plainest": lambda: called(Plainest()),
    "arguments": lambda: sequential(Scaled(lambda shape, dtype=None: jnp.full(shape, 3.0, dtype))),
    "frozen, not in the configuration": lambda: sequential(layers.Dense(3), frozen(NoBase())),
    "compiled, with parts": compiled,
    "Functional": functional,
    "Sequential of one's own": lambda: Doubled([keras.Input((3,)), layers.Dense(3)]),
    "wrong configuration": lambda: called(Forgetful(3)),
    "gelu within LSTM": lambda: sequential(layers.Reshape((3, 1)), layers.LSTM(3, activation=jax.nn.gelu)),
}


@pytest.mark.parametrize("name", MODELS)
def test_initial_weights_and_export(name, key):
    with stateless.standard_promotion():
        model = MODELS[name]()
    before = [np.array(v.value) for v in model.variables]
    gan = ganjax.GAN(model, sequential(layers.Dense(1)))
    one, again, other = (ganjax.init_state(gan, k) for k in (key, key, jax.random.key(1)))
    assert ganjax.state_digest(one) == ganjax.state_digest(again)
    kernels = [i for i, p in enumerate(one.generator.params) if p.ndim > 1 and min(p.shape) > 1]
    for i in kernels if name != "an initializer" else []:
        assert np.all(one.generator.params[i] != other.generator.params[i])
    exported, _ = ganjax.export_models(gan, one)
    latents = ganjax.sample_latent(gan, key, 4)
    for each in (exported, ganjax.export_models(gan, one)[0]):  # the first shares nothing with the second
        with stateless.standard_promotion():
            found = each(latents)
        np.testing.assert_allclose(found, ganjax.decode(gan, one, latents), rtol=1e-5, atol=1e-6)
        for variable in each.variables:
            variable.assign(jnp.zeros_like(variable.value))
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.value, value)


def test_values_of_what_has_no_initializer(key):
    """A variable made from an array starts as the array; a function that initialises is asked for values."""
    gan = ganjax.GAN(
        sequential(layers.Dense(3, kernel_initializer=quarters), Table()), sequential(layers.Dense(1))
    )
    state = ganjax.init_state(gan, key)
    kernel, _, gain = state.generator.params
    assert np.all(kernel == 0.25)
    assert np.all(gain == 2)
    np.testing.assert_array_equal(state.generator.statistics[0], [[0, 1, 2]])


def test_the_same_weights_with_and_without_a_configuration(key):
    """What is found on a layer built again is what the configuration says."""

    def weights(activation):
        return stateless.initial_weights(sequential(layers.Dense(3, activation=activation)), key)[0]

    for a, b in zip(weights("relu"), weights(squashed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_callers_initializer_is_untouched(key):
    initializer = keras.initializers.RandomNormal(seed=7)
    with stateless.standard_promotion():
        model = sequential(Scaled(initializer))
    stateless.initial_weights(model, key)
    assert initializer.seed == 7


class Adrift(layers.Layer):
    """Creates its weights in `__init__`, which needs what its configuration cannot hold."""

    def __init__(self, function):
        super().__init__()
        self.w = self.add_weight(shape=(3, 3))
        self.function = function
        function(1)

    def build(self, shape):
        raise RuntimeError("built by hand. Twice")

    def call(self, x):
        return x @ self.w


def refused(model, key):
    with pytest.raises(ValueError, match=r"^the (layer|initializer) ") as error:
        stateless.initial_weights(model, key)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_layer_that_cannot_be_built_again(key):
    layer = Adrift(lambda x: x)
    layer.built = True
    layer._build_shapes_dict = {"shape": (None, 3)}
    message = refused(sequential(layer), key)
    assert message.startswith(f"the layer {layer.name!r} (Adrift) cannot be built again (")
    assert message.endswith("give the class a get_config that holds every argument of __init__")


def test_an_initializer_that_draws_numbers_of_its_own(key):
    """The state would not follow from the key."""

    def drawing(shape, dtype=None):
        return keras.random.normal(shape, dtype=dtype)

    message = refused(sequential(layers.Dense(3, kernel_initializer=drawing, name="own")), key)
    assert message.startswith("the initializer of 'sequential")
    assert message.endswith("use one of keras.initializers, which ganjax gives the key")


class Locked(Plainest):
    """Cannot be copied, for it holds a generator."""

    def __init__(self):
        super().__init__()
        self.numbers = (i for i in range(3))


def test_a_model_that_cannot_be_copied():
    with stateless.standard_promotion():
        model = called(Locked())
    with pytest.raises(ValueError, match=r"^the model 'locked' can be built again neither") as error:
        rebuilding.rebuild(model)
    assert "\n" not in str(error.value)


# What a file can hold.


def warned(model, match):
    with pytest.warns(UserWarning, match=match) as caught:
        rebuilding.check_saving(model)
    (warning,) = caught
    assert "\n" not in str(warning.message)


@keras.saving.register_keras_serializable("test_rebuilding")
def registered(x):
    return 2 * x


def test_functions_that_a_file_cannot_hold():
    """Which layer, which argument, and what to write instead."""
    message = r"^the layer 'one' \(Dense\) has activation=silu, .*: write activation='silu'$"
    warned(sequential(layers.Dense(3, activation=jax.nn.swish, name="one")), message)
    message = r"^the layer 'one' \(Dense\) has kernel_initializer=quarters, .*: register a function"
    warned(sequential(layers.Dense(3, kernel_initializer=quarters, name="one")), message)
    warned(sequential(layers.Lambda(lambda x: x, name="one")), r"\(Lambda\) has function=<lambda>, which")


def test_functions_that_a_file_can_hold():
    activation = layers.Dense(3, activation=registered, kernel_initializer="he_normal")
    rebuilding.check_saving(sequential(activation, layers.Dense(3, "gelu")))


def test_a_layer_without_a_configuration_is_refused():
    with stateless.standard_promotion():
        model = sequential(Scaled(lambda shape, dtype=None: jnp.ones(shape, dtype)))
    with pytest.raises(ValueError, match=r"^the layer 'scaled\w*' \(Scaled\) cannot be saved \(") as error:
        rebuilding.check_saving(model)
    assert str(error.value).endswith("give its class a get_config that holds every argument of __init__")
    assert "\n" not in str(error.value)
