"""Equal GANs have equal fingerprints, in any process; what differs between others is named."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
import small_runs

from ganjax import augmentations, losses
from ganjax.datasets import batches, toy
from ganjax.gan import GAN, Normal
from ganjax.penalties import R1
from ganjax.runs.fingerprint import data_fingerprint, difference, gan_fingerprint
from ganjax.stateless import without_values

layers = keras.layers
BATCH = 4
SCALE = np.float32([[1.0, 2.0]])


def hinge(scale=1.0):
    return losses.Loss(
        lambda real, fake: losses.hinge.discriminator(real, scale * fake), losses.hinge.generator
    )


def networks(activation="relu", regularizer=None, constraint=None, trainable=True, rate=0.0, name=None):
    first = layers.Dense(
        3,
        activation,
        kernel_regularizer=regularizer,
        kernel_constraint=constraint,
        trainable=trainable,
        name=name,
    )
    discriminator = [layers.Input((2,)), first, layers.Dropout(rate), layers.Dense(1)]
    return keras.Sequential([layers.Input((2,)), layers.Dense(2)]), keras.Sequential(discriminator)


def gan(networks=networks, **options):
    adam = optax.adam(optax.cosine_decay_schedule(1e-2, 100))
    defaults = {
        "loss": hinge(),
        "penalties": (R1(optax.linear_schedule(1.0, 0.1, 10)),),
        "generator_optimizer": adam,
        "discriminator_optimizer": adam,
        "augment": lambda key, x: x + SCALE * jax.random.normal(key, x.shape),
    }
    return GAN(*networks(), **(defaults | options))


def fingerprint(**options):
    return gan_fingerprint(gan(**options), BATCH)


@pytest.fixture(scope="module")
def reference():
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        return fingerprint()


def test_it_is_json_and_of_every_attribute_that_has_an_influence(reference):
    assert json.loads(json.dumps(reference)) == reference
    attributes = {field.name for field in dataclasses.fields(GAN) if field.init} - {"transform"}
    assert reference["functions"].keys() | reference["settings"].keys() == attributes


def test_an_equal_gan_has_the_same(reference):
    renamed = dataclasses.replace(gan(lambda: networks(name="another_name")), transform=None)
    assert gan_fingerprint(renamed, BATCH) == reference
    assert gan_fingerprint(without_values(gan), BATCH) == reference
    with jax.default_matmul_precision("highest"):
        assert fingerprint() == reference


PROGRAM = """
import json, jax
from test_fingerprint import fingerprint
print(json.dumps(fingerprint()))
"""


def test_another_process_has_the_same(base, reference):
    environment = small_runs.environment(base) | {"PYTHONHASHSEED": "123"}
    environment["PYTHONPATH"] += f":{small_runs.TESTS / 'runs'}"
    result = small_runs.python(base, "-c", PROGRAM, env=environment)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == reference


@jax.custom_vjp
def straight(x):
    return jnp.sign(x)


@jax.custom_vjp
def bent(x):
    return jnp.sign(x)


straight.defvjp(lambda x: (straight(x), None), lambda _, g: (g,))
bent.defvjp(lambda x: (bent(x), None), lambda _, g: (2 * g,))


def with_activation(function):
    return lambda: networks(function)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"loss": hinge(1.5)}, ["loss"]),
        ({"loss": losses.zero_sum}, ["loss"]),
        ({"penalties": ()}, ["penalties"]),
        ({"penalties": (R1(optax.linear_schedule(1.0, 0.2, 10)),)}, ["penalties"]),
        ({"generator_optimizer": optax.adam(2e-2)}, ["generator_optimizer"]),
        (
            {"discriminator_optimizer": optax.inject_hyperparams(optax.sgd)(1e-2)},
            ["discriminator_optimizer"],
        ),
        ({"latent": Normal(scale=2.0)}, ["latent"]),
        ({"latent": lambda key, shape: jax.random.uniform(key, shape)}, ["latent"]),
        ({"augment": None}, ["augment"]),
        ({"augment": lambda key, x: x + np.float32([[1, 3]]) * jax.random.normal(key, x.shape)}, ["augment"]),
        ({"networks": lambda: networks("tanh")}, ["discriminator"]),
        ({"networks": lambda: networks(regularizer="l2")}, ["discriminator"]),
        ({"networks": lambda: networks(constraint="unit_norm")}, ["discriminator"]),
        (
            {"networks": lambda: networks(trainable=False)},
            ["discriminator", "discriminator_optimizer"],
        ),
        ({"networks": lambda: networks(rate=0.5)}, ["discriminator"]),
    ],
)
def test_a_function_that_differs_is_named(reference, options, names):
    other = fingerprint(**options)
    assert other["settings"] == reference["settings"]
    said = difference(other, reference)
    assert said.split("; ") == [f"its {name} is not that of this GAN" for name in names]
    assert difference(reference, reference) is None


def test_how_an_augmentation_adapts_counts(reference):
    """Its target and pace are in no sample that it makes."""
    one, *others = (
        fingerprint(augment=augmentations.Adaptive(lambda key, x: 2 * x, **options))
        for options in ({}, {"target": 0.5}, {"images": 1000})
    )
    for other in others:
        assert difference(other, one) == "its augment is not that of this GAN"


def test_losses_that_alone_see_labels_count():
    def loss(weight):
        return losses.Loss(lambda real, fake, labels: jnp.mean(real) + weight * jnp.mean(labels), hinge()[1])

    source = batches.Resident(np.zeros((8, 2), np.float32), np.zeros((8, 5), np.float32))
    one, same, other = (gan_fingerprint(gan(loss=loss(w)), BATCH, source) for w in (1.0, 1.0, 2.0))
    assert difference(same, one) is None
    assert difference(other, one) == "its loss is not that of this GAN"


def test_constants_of_inject_hyperparams_and_gradients_count(reference):
    """The learning rate of `inject_hyperparams` is in the state, and a custom gradient in no forward pass."""
    one, other = (
        fingerprint(discriminator_optimizer=optax.inject_hyperparams(optax.sgd)(rate))
        for rate in (1e-2, 1e-3)
    )
    assert difference(one, other) == "its discriminator_optimizer is not that of this GAN"
    one, other = (fingerprint(networks=with_activation(function)) for function in (straight, bent))
    assert difference(one, other) == "its discriminator is not that of this GAN"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ema_decay": 0.5}, "its ema_decay is 0.999, not 0.5"),
        ({"update": "alternating"}, "its update is 'simultaneous', not 'alternating'"),
        (
            {"discriminator_updates": 2, "update": "alternating"},
            "its update is 'simultaneous', not 'alternating'; its discriminator_updates is 1, not 2",
        ),
    ],
)
def test_settings_are_compared_whatever_the_versions(reference, options, said):
    other = fingerprint(**options)
    elsewhere = reference | {"made_with": {"jax": "0.1.2"}}
    assert difference(other, reference) == difference(other, elsewhere) == said


def test_functions_are_compared_only_under_the_same_versions(reference):
    other = fingerprint(loss=losses.hinge)
    elsewhere = reference | {"made_with": reference["made_with"] | {"jax": "0.1.2"}}
    assert difference(other, reference)
    assert difference(other, elsewhere) is None


@pytest.mark.parametrize("its", [None, {}, "text", {"functions": [1], "settings": 3, "made_with": None}])
def test_what_an_older_ganjax_or_somebody_wrote_is_not_compared(reference, its):
    assert difference(reference, its) is None


def test_conditional_packed_and_random_gans_have_one():
    point, label = keras.Input((2,)), keras.Input((3,))
    joined = layers.Concatenate()([point, label])
    conditional = GAN(
        keras.Model([point, label], layers.Dense(2)(joined)),
        keras.Model([point, label], layers.Dense(1)(layers.Dropout(0.5)(joined))),
        penalties=(R1(1.0),),
        augment=lambda key, x: x,
    )
    packed = GAN(
        keras.Sequential([layers.Input((2,)), layers.Dense(2)]),
        keras.Sequential([layers.Input((4,)), layers.Dense(1)]),
        packing=2,
        penalties=(R1(1.0),),
    )
    for each in (conditional, packed):
        assert gan_fingerprint(each, BATCH) == gan_fingerprint(each, BATCH)


def test_data_that_differ_have_another():
    values = np.arange(12, dtype=np.float32).reshape(6, 2)

    def of(source, arrays=True):
        return data_fingerprint(source, BATCH, arrays=arrays)

    assert of(batches.Resident(values)) == of(batches.Resident(values.copy()))
    assert of(batches.Resident(values)) != of(batches.Resident(values + 1))
    assert of(batches.Resident(values), arrays=False) == of(batches.Resident(values + 1), arrays=False)
    assert of(batches.Resident(values), arrays=False) != of(batches.Resident(values[:5]), arrays=False)
    labels = np.eye(6, dtype=np.float32)
    assert of(batches.Resident(values, labels)) != of(batches.Resident(values, labels[::-1].copy()))
    assert of(batches.Sampled(toy.ring)) == of(batches.Sampled(lambda key, n: toy.ring(key, n)))
    assert of(batches.Sampled(toy.ring)) != of(batches.Sampled(toy.grid))
