"""GAN: an immutable, hashable description of a GAN, which refuses what cannot be trained."""

import dataclasses

import by_hand
import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from by_hand import make_gan
from keras import layers

import ganjax


def G(outputs=2):
    return keras.Sequential([keras.Input((3,)), layers.Dense(outputs)])


def D(inputs=2):
    return keras.Sequential([keras.Input((inputs,)), layers.Dense(1)])


def one_line(error):
    message = str(error.value)
    assert message
    assert "\n" not in message
    return message


def test_frozen_and_hashable():
    generator, discriminator = G(), D()
    penalties = (ganjax.R1(2.0), ganjax.WGANGP(optax.constant_schedule(3.0)))
    gan = ganjax.GAN(generator, discriminator, penalties=penalties, latent=ganjax.Normal(0.0, 2.0))
    same = ganjax.GAN(generator, discriminator, penalties=penalties, latent=ganjax.Normal(0.0, 2.0))
    assert gan == same
    assert hash(gan) == hash(same)
    assert gan != dataclasses.replace(gan, ema_decay=0.5)
    assert gan != dataclasses.replace(gan, generator=G())
    with pytest.raises(dataclasses.FrozenInstanceError):
        gan.ema_decay = 0.5


def test_holds_no_array():
    gan = make_gan(by_hand.batch_normalized, penalties=(ganjax.R1(),))
    fields = [getattr(gan, field.name) for field in dataclasses.fields(gan)]
    assert not any(isinstance(leaf, jax.Array | np.ndarray) for leaf in jax.tree.leaves(fields))


def test_defaults():
    """The original cartoon system's GAN, but for the average: Adam(2e-4, 0.5, 0.999), simultaneous."""
    gan = ganjax.GAN(G(), D())
    assert gan.loss == ganjax.losses.binary_cross_entropy
    assert (gan.update, gan.discriminator_updates, gan.penalties) == ("simultaneous", 1, ())
    assert (gan.latent, gan.ema_decay) == (ganjax.Normal(0.0, 1.0), 0.999)
    expected = optax.adam(2e-4, b1=0.5, b2=0.999)
    params, gradients = jnp.ones(3), [jnp.array([1.0, -2.0, 1e-3]), jnp.array([3.0, 1.0, -1e-3])]
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        memory, expected_memory = optimizer.init(params), expected.init(params)
        for gradient in gradients:
            with jax.numpy_dtype_promotion("standard"):
                update, memory = optimizer.update(gradient, memory)
                expected_update, expected_memory = expected.update(gradient, expected_memory)
            np.testing.assert_array_equal(update, expected_update)


def test_shapes_of_every_kind():
    for name, kind in by_hand.KINDS.items():
        gan = make_gan(kind)
        assert gan.latent_shape == (3,)
        assert gan.sample_shape == ((4, 4, 1) if name == "patch of logits" else (2,))


def test_subclassed_model_built_by_a_call():
    """A subclassed model without `build` of its own is built by its first batch."""
    model = by_hand.Subclassed(4, 2)
    with jax.numpy_rank_promotion("allow"):
        model(np.zeros((5, 3), np.float32))
    assert ganjax.GAN(model, D()).latent_shape == (3,)


def test_normal_latent(key):
    latents = ganjax.Normal(3.0, 0.5)(key, (100_000, 2))
    assert latents.dtype == jnp.float32
    assert latents.shape == (100_000, 2)
    assert float(jnp.mean(latents)) == pytest.approx(3.0, abs=0.01)
    assert float(jnp.std(latents)) == pytest.approx(0.5, rel=0.01)
    assert abs(np.corrcoef(latents.T)[0, 1]) < 0.02


@pytest.mark.parametrize(
    "settings", [(0, 0), (0, -1), (float("nan"), 1), (0, float("inf")), (0, float("nan"))]
)
def test_a_latent_that_cannot_be_drawn_is_refused(settings):
    with pytest.raises(ValueError, match="finite mean and a scale > 0, got "):
        ganjax.Normal(*settings)
    with pytest.raises(TypeError):
        ganjax.Normal(0.0, "wide")


def test_construction_draws_nothing(key):
    models = (by_hand.patch.generator(), by_hand.patch.discriminator())
    before = [np.array(v.value) for model in models for v in model.variables]
    ganjax.GAN(*models)
    after = [v.value for model in models for v in model.variables]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("generator", "discriminator", "message"),
    [
        (lambda: G(3), D, r"samples of shape \(3,\), but the discriminator takes \(2,\)"),
        (by_hand.patch.generator, D, r"samples of shape \(4, 4, 1\), but the discriminator takes \(2,\)"),
        (lambda: keras.Sequential([layers.Dense(2)]), D, "generator is not built"),
        (G, lambda: keras.Sequential([layers.Dense(1)]), "discriminator is not built"),
        (lambda: by_hand.Subclassed(4, 2), D, "generator is not built"),
    ],
)
def test_networks_that_do_not_fit(generator, discriminator, message):
    with pytest.raises(ValueError, match=message) as error:
        ganjax.GAN(generator(), discriminator())
    one_line(error)


def two_inputs():
    inputs = [keras.Input((2,)), keras.Input((2,))]
    return keras.Model(inputs, layers.Dense(2)(layers.Add()(inputs)))


def three_inputs():
    inputs = [keras.Input((2,)), keras.Input((2,)), keras.Input((2,))]
    return keras.Model(inputs, layers.Dense(1)(layers.Add()(inputs)))


def two_named_inputs():
    inputs = {"a": keras.Input((2,), name="a"), "b": keras.Input((2,), name="b")}
    return keras.Model(inputs, layers.Dense(1)(layers.Add()(list(inputs.values()))))


def named_outputs():
    x = keras.Input((3,))
    return keras.Model(x, {"a": layers.Dense(2)(x), "c": layers.Dense(2)(x)})


def named_logits():
    x = keras.Input((2,))
    return keras.Model(x, {"a": layers.Dense(1)(x), "c": layers.Dense(1)(x)})


def any_width():
    return keras.Sequential([keras.Input((None, None, 1)), layers.Conv2D(1, 1)])


@pytest.mark.parametrize(
    ("generator", "discriminator", "message"),
    [
        (two_inputs, three_inputs, r"labels of shape \(2,\), but the discriminator of shape \(\(2,\), "),
        (G, two_named_inputs, r"makes samples of shape \(2,\), but the discriminator takes \{'a'"),
        (named_outputs, two_named_inputs, "returns a dict without 'b': it has a, c"),
        (named_outputs, D, "returns a dict without 'samples': it has a, c"),
        (G, named_logits, "returns a dict without 'logits': it has a, c"),
        (G, any_width, "must be fixed but for the batch"),
    ],
)
def test_networks_of_another_form(generator, discriminator, message):
    with pytest.raises(ValueError, match=message) as error:
        ganjax.GAN(generator(), discriminator())
    one_line(error)


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_networks_that_are_none(role):
    models = {"generator": G(), "discriminator": D()}
    with pytest.raises(TypeError, match=f"{role} must be a Keras model, got function") as error:
        ganjax.GAN(**models | {role: lambda x: x})
    one_line(error)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"loss": "hinge"}, TypeError, "loss must be a pair"),
        ({"loss": ganjax.generator_loss}, TypeError, "loss must be a pair"),
        ({"penalties": ganjax.R1()}, TypeError, "penalties must be a tuple"),
        ({"penalties": [ganjax.R1()]}, TypeError, "penalties must be a tuple"),
        ({"update": "both"}, ValueError, "update must be"),
        ({"ema_decay": 1.0}, ValueError, r"ema_decay must be in \[0, 1\)"),
        ({"ema_decay": -0.1}, ValueError, r"ema_decay must be in \[0, 1\)"),
        ({"discriminator_updates": 0}, ValueError, "discriminator_updates must be a whole number"),
        ({"discriminator_updates": 1.5}, ValueError, "discriminator_updates must be a whole number"),
        ({"generator_optimizer": 2e-4}, TypeError, "generator_optimizer must be an optax"),
        ({"discriminator_optimizer": optax.adam}, TypeError, "discriminator_optimizer must be an optax"),
        ({"discriminator_optimizer": keras.optimizers.Adam()}, TypeError, "must be an optax transformation"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_options_out_of_range(options, kind, message):
    with pytest.raises(kind, match=message) as error:
        ganjax.GAN(G(), D(), **options)
    one_line(error)


def frozen_layers(model):
    for layer in model.layers:
        layer.trainable = False
    return model


def frozen_model(model):
    model.trainable = False
    return model


def nothing_to_train(inputs):
    return keras.Sequential([keras.Input((inputs,)), layers.Lambda(lambda x: x[:, :1])])


@pytest.mark.parametrize(
    ("generator", "discriminator", "message"),
    [
        (
            G,
            lambda: frozen_model(D()),
            r"^the discriminator '\w+' has nothing to train: every layer",
        ),
        (
            lambda: frozen_model(G()),
            D,
            r"^the generator '\w+' has nothing to train: every layer",
        ),
        (
            lambda: frozen_layers(G()),
            D,
            r"^the generator '\w+' has nothing to train: every layer",
        ),
        (
            G,
            lambda: nothing_to_train(2),
            r"^the discriminator '\w+' has nothing to train: no layer has",
        ),
    ],
)
def test_networks_without_anything_to_train(generator, discriminator, message):
    with pytest.raises(ValueError, match=message) as error:
        ganjax.GAN(generator(), discriminator())
    one_line(error)


def functional(last):
    x = keras.Input((2,))
    return keras.Model(x, last(layers.Dense(2)(x)))


ENDING_IN_PROBABILITIES = {
    "activation": lambda: keras.Sequential([keras.Input((2,)), layers.Dense(1, "sigmoid", name="last")]),
    "layer": lambda: keras.Sequential([keras.Input((2,)), layers.Dense(2), layers.Softmax(name="last")]),
    "Activation": lambda: functional(layers.Activation("sigmoid", name="last")),
    "jax": lambda: functional(layers.Activation(jax.nn.softmax, name="last")),
    "layer as activation": lambda: functional(layers.Dense(2, activation=layers.Softmax(), name="last")),
    "operation": lambda: functional(keras.ops.sigmoid),
    "before Flatten": lambda: functional(
        lambda x: layers.Flatten()(layers.Dropout(0.1)(layers.Dense(1, "sigmoid", name="last")(x)))
    ),
    "nested": lambda: functional(
        keras.Sequential([keras.Input((2,)), layers.Dense(1, "sigmoid", name="last"), layers.Flatten()])
    ),
    "wrapped": lambda: functional(layers.SpectralNormalization(layers.Dense(1, "sigmoid", name="last"))),
}


@pytest.mark.parametrize("name", ENDING_IN_PROBABILITIES)
def test_a_discriminator_that_gives_probabilities(name):
    message = r"ends in a sigmoid or softmax \(layer '(last|sigmoid\w*)'\), but losses take logits"
    with pytest.warns(UserWarning, match=message) as warned:
        ganjax.GAN(G(), ENDING_IN_PROBABILITIES[name]())
    assert len(warned) == 1
    assert warned[0].filename == __file__


def test_other_activations_are_no_mistake():
    for activation in (None, "tanh", "relu", layers.LeakyReLU(0.2)):
        ganjax.GAN(G(), functional(layers.Dense(1, activation)))
    ganjax.GAN(G(), functional(lambda x: layers.Dense(1)(layers.Dense(3, "sigmoid")(x))))
