"""A conditional GAN: labels reach both networks, in every place where samples do."""

import by_hand
import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from by_hand import QUICK
from keras import layers

import ganjax
from ganjax import Labelled
from ganjax.discriminator_pass import is_samplewise
from ganjax.draws import draw

LABELS, BATCH = 3, 6
SGD = optax.sgd(0.1)
step = jax.jit(ganjax.train_step, static_argnums=0, compiler_options=QUICK)


def pair():
    """A generator that can only repeat its label, and a discriminator with a projection."""
    latent, label = keras.Input((2,)), keras.Input((LABELS,))
    fake = layers.Dense(2, name="make")(layers.Concatenate()([latent, label]))
    generator = keras.Model([latent, label], fake)
    sample, label = keras.Input((2,)), keras.Input((LABELS,))
    features = layers.Dense(4, "tanh")(sample)
    projection = layers.Dot(axes=1)([features, layers.Dense(4, use_bias=False)(label)])
    logit = layers.Add()([layers.Dense(1)(features), projection])
    return generator, keras.Model([sample, label], logit)


def make_gan(**options):
    return ganjax.GAN(*pair(), **options)


def labels_of(values):
    return jnp.eye(LABELS)[jnp.asarray(values)]


def batch(key, n=BATCH):
    """Samples at the point that their label names."""
    values = jnp.arange(n) % LABELS
    angle = values.astype(jnp.float32) * (2 * jnp.pi / LABELS)
    return Labelled(jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1), labels_of(values))


@pytest.fixture(scope="module")
def gan():
    return make_gan(penalties=(ganjax.R1(1.0), ganjax.R2(1.0)), loss=ganjax.losses.relativistic_pairing)


@pytest.fixture(scope="module")
def state(gan):
    return ganjax.init_state(gan, jax.random.key(0))


def test_shapes(gan):
    assert (gan.latent_shape, gan.sample_shape, gan.label_shape) == ((2,), (2,), (LABELS,))
    assert ganjax.GAN(by_hand.sequential.generator(), by_hand.sequential.discriminator()).label_shape is None


def test_a_step_uses_the_labels_and_compiles_once(gan, state):
    real = batch(jax.random.key(1))
    before = step._cache_size()  # in one process with other files, of whose steps it holds programs too
    first, metrics = step(gan, state, real)
    assert metrics["finite"] == 1
    turned = real._replace(labels=jnp.roll(real.labels, 1, axis=1))
    other, _ = step(gan, state, turned)
    for network in ("generator", "discriminator"):
        a, b = getattr(first, network).params, getattr(other, network).params
        assert any(not np.array_equal(x, y) for x, y in zip(a, b, strict=True)), network
    assert step._cache_size() == before + 1


@pytest.mark.parametrize("options", [{"update": "alternating"}, {"discriminator_updates": 2}])
def test_every_kind_of_update(options):
    gan = make_gan(**options)
    state = ganjax.init_state(gan, jax.random.key(0))
    n = gan.discriminator_updates
    state, metrics = step(gan, state, batch(jax.random.key(1), n * BATCH))
    assert metrics["finite"] == 1
    assert state.step == 1


def test_both_gradients_by_hand():
    """The two written losses, cross-entropy, differentiated with the same labels beside real and fake."""
    gan = make_gan(generator_optimizer=SGD, discriminator_optimizer=SGD)
    state = ganjax.init_state(gan, jax.random.key(3))
    real = batch(jax.random.key(1))
    after, _ = step(gan, state, real)
    latents = draw(gan, state.key, state.step, BATCH).discriminator[-1].latents

    def G(params, z, y):
        kernel, bias = params
        return jnp.concatenate([z, y], axis=1) @ kernel + bias

    def D(params, x, y):
        kernel, bias, embedding, out, constant = _in_order(gan.discriminator, params)
        features = jnp.tanh(x @ kernel + bias)
        return features @ out + constant + jnp.sum(features * (y @ embedding), axis=1, keepdims=True)

    with jax.numpy_rank_promotion("allow"):
        fake = G(state.generator.params, latents, real.labels)

        def D_loss(params):
            return ganjax.discriminator_loss(
                D(params, real.samples, real.labels), D(params, fake, real.labels)
            )

        def G_loss(params):
            made = G(params, latents, real.labels)
            return ganjax.generator_loss(D(state.discriminator.params, made, real.labels))

        expected = (
            [p - 0.1 * g for p, g in zip(s.params, jax.grad(loss)(s.params), strict=True)]
            for s, loss in ((state.generator, G_loss), (state.discriminator, D_loss))
        )
        for network, params in zip((after.generator, after.discriminator), expected, strict=True):
            for a, b in zip(network.params, params, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_it_learns_to_follow_labels():
    adam = optax.adam(1e-2, b1=0.0, b2=0.9)
    gan = make_gan(
        loss=ganjax.losses.relativistic_pairing,
        penalties=(ganjax.R1(0.1), ganjax.R2(0.1)),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        ema_decay=0.9,
    )
    state = ganjax.init_state(gan, jax.random.key(0))
    real = batch(jax.random.key(1), 48)
    for _ in range(400):
        state, _ = step(gan, state, real)
    made = ganjax.generate(gan, state, jax.random.key(2), 48, real.labels)
    distance = jnp.linalg.norm(made[:, None] - real.samples[None, :LABELS], axis=2)
    assert jnp.mean(jnp.argmin(distance, axis=1) == jnp.arange(48) % LABELS) > 0.9


def test_export_keeps_both_inputs(gan, state):
    generator, discriminator = ganjax.export_models(gan, state)
    latents, labels = jnp.ones((2, 2)), labels_of([0, 2])
    made = ganjax.decode(gan, state, latents, labels)
    with jax.numpy_rank_promotion("allow"):
        np.testing.assert_allclose(generator([latents, labels]), made, rtol=1e-5, atol=1e-6)
        logits = discriminator([made, labels])
    np.testing.assert_allclose(ganjax.discriminate(gan, state, made, labels), logits, rtol=1e-5, atol=1e-6)


def test_a_projection_mixes_no_samples():
    _, discriminator = pair()
    assert is_samplewise(discriminator)


@pytest.mark.parametrize(
    ("real", "error", "message"),
    [
        (jnp.zeros((4, 2)), TypeError, "needs labels of shape"),
        (Labelled(jnp.zeros((4, 2))), TypeError, "needs labels of shape"),
        (Labelled(jnp.zeros((4, 2)), jnp.zeros((4, 2))), ValueError, r"labels must have shape \(4, 3\)"),
        (Labelled(jnp.zeros((4, 2)), jnp.zeros((3, 3))), ValueError, r"labels must have shape \(4, 3\)"),
        (
            Labelled(jnp.zeros((4, 2)), jnp.zeros((4, 3), jnp.int32)),
            TypeError,
            "labels must be floating point",
        ),
    ],
)
def test_labels_that_do_not_fit(gan, state, real, error, message):
    with pytest.raises(error, match=message):
        ganjax.train_step(gan, state, real)


def test_labels_of_an_unconditional_gan():
    gan = ganjax.GAN(by_hand.sequential.generator(), by_hand.sequential.discriminator())
    state = ganjax.init_state(gan, jax.random.key(0))
    with pytest.raises(TypeError, match="takes no labels"):
        ganjax.train_step(gan, state, Labelled(jnp.zeros((4, 2)), jnp.zeros((4, 3))))


def test_drawing_without_labels_is_refused_too(gan, state):
    with pytest.raises(TypeError, match=r"needs labels of shape \('n', 3\)"):
        ganjax.generate(gan, state, jax.random.key(0), 4)
    with pytest.raises(TypeError, match="needs labels"):
        ganjax.discriminate(gan, state, jnp.zeros((4, 2)))
    with pytest.raises(ValueError, match="labels must have shape"):
        ganjax.generate(gan, state, jax.random.key(0), 4, labels_of([0, 1]))


def _in_order(model, params):
    """Kernel, bias, embedding, last kernel, last bias, whatever order Keras keeps them in."""
    by_shape = {}
    for variable, value in zip(model.trainable_variables, params, strict=True):
        by_shape[variable.path.rsplit("/", 1)[-1], tuple(variable.shape)] = value
    wanted = (("kernel", (2, 4)), ("bias", (4,)), ("kernel", (LABELS, 4)), ("kernel", (4, 1)), ("bias", (1,)))
    return [by_shape[each] for each in wanted]
