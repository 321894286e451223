"""Networks of several inputs and outputs, labels for one of them, losses that ask for more than logits."""

import dataclasses

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from keras import layers

import ganjax
from ganjax import Labelled, latents, losses, stateless
from ganjax.losses import Loss
from ganjax.training.chunks import compile_chunk, metric_names

BATCH, RATE = 4, 0.1


def dense(units, *inputs):
    return layers.Dense(units)(layers.Concatenate()(inputs) if len(inputs) > 1 else inputs[0])


def G(outputs=None):
    z = keras.Input((3,))
    hidden = layers.Dense(4, "tanh")(z)
    return keras.Model(z, outputs(hidden) if outputs else dense(2, hidden))


def D(outputs=None):
    x = keras.Input((2,))
    hidden = layers.Dense(4, "tanh")(x)
    return keras.Model(x, outputs(hidden) if outputs else dense(1, hidden))


def sgd(generator, discriminator, **options):
    rates = {f"{role}_optimizer": optax.sgd(RATE) for role in ("generator", "discriminator")}
    return ganjax.GAN(generator, discriminator, transform=None, **(rates | options))


def stepped(gan, real, key=0):
    """A state, what its first step draws, the next state, and the metrics."""
    state = ganjax.init_state(gan, jax.random.key(key))
    samples = real.samples if isinstance(real, Labelled) else real
    drawn = ganjax.draws.draw(gan, state.key, state.step, len(jax.tree.leaves(samples)[0]))
    return state, drawn, *jax.jit(ganjax.train_step, static_argnums=0)(gan, state, real)


def call(model, network, params, *inputs):
    """The Keras model itself, in training."""
    x = inputs[0] if len(inputs) == 1 else list(inputs)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return model.stateless_call(params, network.statistics, x, training=True)[0]


def assert_moved(network, after, gradient):
    for old, new, g in zip(network.params, after.params, gradient, strict=True):
        np.testing.assert_allclose(new, old - RATE * g, rtol=1e-5, atol=1e-6)
    assert any(np.any(g != 0) for g in gradient)


REAL = np.linspace(-1, 1, BATCH * 2, dtype=np.float32).reshape(BATCH, 2)


# What a loss may see.


def test_a_loss_is_given_what_it_names():
    seen = {}

    def of_discriminator(real, fake, *, labels, step, key, real_unaugmented, latents):
        seen["D"] = labels, step, key, real_unaugmented, latents
        return jnp.mean(fake) - jnp.mean(real)

    def of_generator(fake, real, generator_outputs, fake_outputs, fake_unaugmented, **rest):
        seen["G"] = generator_outputs, fake_outputs, fake_unaugmented, rest
        return -jnp.mean(fake)

    gan = sgd(
        G(lambda h: {"samples": dense(2, h), "more": dense(5, h)}),
        D(lambda h: (dense(1, h), h)),
        loss=Loss(of_discriminator, of_generator),
        augment=lambda key, x: x + 1,
    )
    labels = np.arange(BATCH, dtype=np.int32)
    state = ganjax.init_state(gan, jax.random.key(0))
    ganjax.train_step(gan, state, Labelled(REAL, labels))
    drawn = ganjax.draws.draw(gan, state.key, state.step, BATCH).discriminator[0]
    seen_labels, step, key, real, z = seen["D"]
    np.testing.assert_array_equal(seen_labels, labels)
    assert seen_labels.dtype == jnp.int32
    assert step == 0
    assert key == jax.random.split(drawn.loss_key, 3)[0]
    np.testing.assert_array_equal(real, REAL)
    np.testing.assert_array_equal(z, drawn.latents)
    outputs, (hidden,), fake, rest = seen["G"]
    assert rest == {}
    assert outputs["more"].shape == (BATCH, 5)
    assert hidden.shape == (BATCH, 4)
    assert fake.shape == (BATCH, 2)


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_gradients_pass_through_samples_and_outputs(update):
    """G's through what it and D return; D's only through what D returns."""

    def of_discriminator(real, fake, real_outputs, fake_outputs):
        (real_features,), (fake_features,) = real_outputs, fake_outputs
        value = jnp.mean(fake) - jnp.mean(real) + jnp.mean(real_features * fake_features)
        return value, {"product": jnp.mean(real_features)}

    def of_generator(fake, real, fake_outputs, fake_unaugmented, generator_outputs, **_):
        (extra,) = generator_outputs
        distance = jnp.mean((fake_unaugmented - 0.5) ** 2) + jnp.mean(jnp.sin(extra))
        return jnp.mean(fake_outputs[0] ** 2) + distance - jnp.mean(fake), {"distance": distance}

    gan = sgd(
        G(lambda h: (dense(2, h), dense(3, h))),
        D(lambda h: [dense(1, h), h]),
        loss=Loss(of_discriminator, of_generator),
        augment=lambda key, x: 2 * x,
        update=update,
    )
    state, draws, after, metrics = stepped(gan, REAL)
    z, own = draws.discriminator[0].latents, draws.generator

    def D_loss(params, fake):
        real_logits, real_features = call(gan.discriminator, state.discriminator, params, 2 * REAL)
        fake_logits, fake_features = call(gan.discriminator, state.discriminator, params, 2 * fake)
        return of_discriminator(real_logits, fake_logits, (real_features,), (fake_features,))[0]

    def G_loss(params, D_params, z):
        fake, extra = call(gan.generator, state.generator, params, z)
        logits, features = call(gan.discriminator, state.discriminator, D_params, 2 * fake)
        return of_generator(logits, None, (features,), fake, (extra,))

    fake, _ = call(gan.generator, state.generator, state.generator.params, z)
    D_gradient = jax.grad(D_loss)(state.discriminator.params, fake)
    assert_moved(state.discriminator, after.discriminator, D_gradient)
    against = (state if update == "simultaneous" else after).discriminator.params
    z = z if own is None else own.latents
    G_gradient, rows = jax.grad(G_loss, has_aux=True)(state.generator.params, against, z)
    assert_moved(state.generator, after.generator, G_gradient)
    np.testing.assert_allclose(metrics["distance"], rows["distance"], rtol=1e-6)
    assert metrics.keys() == {*ganjax.step.METRICS, "distance", "product"}


def test_rows_of_a_loss_are_columns_of_a_chunk():
    own = Loss(lambda real, fake: (jnp.mean(fake), {"spread": jnp.std(real)}), losses.wasserstein.generator)
    source = ganjax.datasets.batches.Resident(REAL)
    for generator in (
        G(),
        keras.Sequential([G(), layers.Reshape((1, 2)), layers.Conv1D(2, 1), layers.Flatten()]),
    ):
        gan = sgd(generator, D(), loss=own)
        state = ganjax.init_state(gan, jax.random.key(0))
        expected = [ganjax.train_step(gan, state, source.fetch(jnp.arange(BATCH), BATCH))[1]["spread"]]
        chunk = compile_chunk(gan, BATCH, 3)
        _, rows = chunk(state, ganjax.datasets.batches.Whole(REAL), jax.random.key(1), 2)
        assert rows.keys() == {*ganjax.step.METRICS, "spread"}
        np.testing.assert_allclose(rows["spread"][:1], expected, rtol=1e-6)


def test_no_step_is_traced_to_name_what_stock_losses_report():
    assert metric_names(sgd(G(), D()), None, None) == ganjax.step.METRICS


def test_a_weighted_sum_of_losses():
    pixels = losses.combine({losses.hinge: 2.0, losses.l1: 3.0})
    real, fake = jnp.float32([[0.5], [-2.0]]), jnp.float32([[1.5], [0.25]])
    value, rows = losses.evaluate(pixels.discriminator, real, fake)
    np.testing.assert_allclose(value, 2 * losses.hinge.discriminator(real, fake))
    assert rows == {}
    samples = {"fake_unaugmented": {"a": fake}, "real_unaugmented": {"a": real}, "labels": None}
    value, _ = losses.evaluate(pixels.generator, fake, real, **samples)
    np.testing.assert_allclose(value, -2 * np.mean(fake) + 3 * np.mean(np.abs(fake - real)), rtol=1e-6)
    assert losses.asked_for(pixels.generator) == {"fake_unaugmented", "real_unaugmented"}
    assert hash(pixels) == hash(losses.combine({losses.hinge: 2.0, losses.l1: 3.0}))


@pytest.mark.parametrize(("real_target", "fake_target"), [(0.9, 0.0), (1.0, 0.0), (0.7, 0.2)])
def test_label_smoothing(real_target, fake_target):
    real, fake = jnp.float32([0.3, -4.0]), jnp.float32([2.0, -1.0])
    loss = losses.with_label_smoothing(real_target, fake_target)

    def cross_entropy(logits, target):
        p = 1 / (1 + np.exp(-np.float64(logits)))
        return np.mean(-target * np.log(p) - (1 - target) * np.log(1 - p))

    expected = (cross_entropy(real, real_target) + cross_entropy(fake, fake_target)) / 2
    np.testing.assert_allclose(loss.discriminator(real, fake), expected, rtol=1e-6)
    assert loss.generator is losses.binary_cross_entropy.generator


def test_label_noise_has_the_mean_of_label_smoothing():
    real, fake = jnp.full(20_000, 0.3), jnp.full(20_000, -0.7)
    noisy, smooth = losses.with_label_noise(0.4), losses.with_label_smoothing(0.8, 0.2)
    values = [noisy.discriminator(real, fake, key=jax.random.key(i)) for i in range(2)]
    np.testing.assert_allclose(values, smooth.discriminator(real, fake), rtol=5e-3)
    assert values[0] != values[1]


def test_a_new_key_at_every_update():
    gan = sgd(G(), D(), loss=losses.with_label_noise(0.5), discriminator_updates=2, update="alternating")
    draws = ganjax.draws.draw(gan, jax.random.key(0), jnp.int32(3), BATCH)
    keys = [each.loss_key for each in (*draws.discriminator, draws.generator)]
    split = np.concatenate([jax.random.key_data(jax.random.split(key, 3)) for key in keys])
    assert len(np.unique(split, axis=0)) == 9
    assert (
        ganjax.draws.draw(sgd(G(), D()), jax.random.key(0), jnp.int32(3), BATCH).discriminator[0].loss_key
        is None
    )


def reporting(name, power):
    return Loss(lambda r, f: (jnp.mean(f), {name: jnp.mean(r**power)}), losses.hinge.generator)


@pytest.mark.parametrize(
    ("loss", "kind", "message"),
    [
        (Loss(lambda r, f, classes: r, lambda f, r: f), TypeError, "discriminator's loss asks for 'classes'"),
        (Loss(None, lambda f, r: f), TypeError, "discriminator's loss must be a function"),
        (
            Loss(losses.hinge.discriminator, lambda f, *, latents: f),
            TypeError,
            r"generator's loss must take fake_logits and real_logits first.*arguments are \(f, latents\)",
        ),
        (
            Loss(losses.hinge.discriminator, lambda fake_logits, labels: fake_logits),
            TypeError,
            r"generator's loss must take fake_logits and real_logits first",
        ),
        (
            Loss(lambda r, f: (jnp.mean(f),) * 3, losses.hinge.generator),
            TypeError,
            "a loss must return one number, or",
        ),
        (
            Loss(lambda r, f: (jnp.mean(f), {"step": jnp.mean(r)}), losses.hinge.generator),
            ValueError,
            "two values are reported as 'step'",
        ),
        (
            Loss(lambda r, f: (jnp.mean(f), {"a,b": jnp.mean(r)}), losses.hinge.generator),
            ValueError,
            "a loss reports 'a,b': names are letters, digits",
        ),
        (
            losses.combine(dict.fromkeys([reporting("mean", 0), reporting("mean", 1)], 1.0)),
            ValueError,
            "two values are reported as 'mean'",
        ),
        (
            Loss(lambda r, f: (jnp.mean(f), {"penalty": jnp.mean(r)}), losses.hinge.generator),
            ValueError,
            "two values are reported as 'penalty'",
        ),
        (
            Loss(lambda r, f: (jnp.mean(f), {"each": r}), losses.hinge.generator),
            ValueError,
            r"'each', which a loss reports, must be one number, .* has shape \(4, 1\)",
        ),
        (
            Loss(*[lambda x, y: (jnp.mean(x), {"same": jnp.mean(y)})] * 2),
            ValueError,
            "two values are reported as 'same'",
        ),
        (Loss(lambda r, f: f, lambda f, r: f), ValueError, r"a loss's value must be one number.*\(4, 1\)"),
    ],
)
def test_losses_that_cannot_be_used(loss, kind, message):
    with pytest.raises(kind, match=message) as error:
        stepped(sgd(G(), D(), loss=loss), REAL)
    assert "\n" not in str(error.value).split("\n----")[0]


@pytest.mark.parametrize(
    "call",
    [
        lambda: losses.combine({losses.hinge.generator: 1}),
        lambda: losses.combine({}),
        lambda: losses.combine([losses.hinge]),
        lambda: losses.with_label_noise(2),
        lambda: losses.with_label_smoothing(real=1.5),
    ],
)
def test_losses_of_numbers_out_of_range(call):
    with pytest.raises((TypeError, ValueError)) as error:
        call()
    assert "\n" not in str(error.value).split("\n----")[0]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"loss_scale": 2.0}, TypeError, "loss_scale must be ganjax.LossScale"),
        ({"outputs": "logits"}, TypeError, "outputs must be two names such as"),
        ({"latent": 5}, TypeError, "latent must be a function"),
        ({"generator_penalties": (10.0,)}, TypeError, r"generator_penalties must be functions .*, got 10\.0"),
        ({"augment": layers.GaussianNoise(0.1)}, TypeError, "give ganjax.augmentations.from_keras"),
    ],
)
def test_options_that_cannot_be_used(options, kind, message):
    with pytest.raises(kind, match=message) as error:
        sgd(G(), D(), **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("loss_scale", ganjax.LossScale()), ("augment", ganjax.augmentations.Adaptive(lambda key, x: x))],
)
def test_a_state_of_another_gan(name, value):
    plain, other = sgd(G(), D()), sgd(G(), D(), **{name: value})
    for gan, start, what in ((plain, other, "has a state"), (other, plain, "lacks the state")):
        with pytest.raises(ValueError, match=f"the state {what} of {name}"):
            ganjax.train_step(gan, ganjax.init_state(start, jax.random.key(0)), REAL)


@pytest.mark.parametrize("labels", [np.int32([0, 1, 2]), np.float32(1.0), [0, 1, 2, 3]])
def test_labels_of_losses_alone_are_as_many_as_samples(labels):
    loss = Loss(lambda r, f, labels: jnp.mean(f), losses.hinge.generator)
    with pytest.raises(ValueError, match="labels must be arrays of 4 labels each"):
        stepped(sgd(G(), D(), loss=loss), Labelled(REAL, labels))


def test_a_generator_of_labels_makes_as_many_samples_as_labels():
    gan = sgd(G(), D(), latent=None)
    state = ganjax.init_state(gan, jax.random.key(0))
    with pytest.raises(TypeError, match=r"needs labels of shape \('n', 3\)"):
        ganjax.generate(gan, state, jax.random.key(1), 4)
    with pytest.raises(ValueError, match=r"labels must have shape \(8, 3\), got \(4, 3\)"):
        ganjax.generate(gan, state, jax.random.key(1), 8, labels=np.zeros((4, 3), np.float32))
    plain = sgd(G(), D())
    with pytest.raises(TypeError, match="this generator takes latents"):
        ganjax.decode(plain, ganjax.init_state(plain, jax.random.key(0)), None)


# Terms of G that need derivatives of G.


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_a_penalty_of_the_generator(update):
    def steepness(generator, z, *, key, step):
        _, pull = jax.vjp(generator, z)
        (slope,) = pull(jax.random.normal(key, (BATCH, 2)))
        return jnp.mean(slope**2) * (step + 2).astype(jnp.float32)

    gan = sgd(G(), D(), generator_penalties=(steepness,), loss=losses.wasserstein, update=update)
    state, draws, after, metrics = stepped(gan, REAL)
    drawn = draws.generator or draws.discriminator[0]
    key = jax.random.fold_in(jax.random.split(drawn.loss_key, 3)[2], 0)
    against = (after if update == "alternating" else state).discriminator.params

    def total(params):
        make = lambda z: call(gan.generator, state.generator, params, z)  # noqa: E731
        penalty = steepness(make, drawn.latents, key=key, step=jnp.int32(0))
        fake = call(gan.discriminator, state.discriminator, against, make(drawn.latents))
        return penalty - jnp.mean(fake), penalty

    gradient, penalty = jax.grad(total, has_aux=True)(state.generator.params)
    assert_moved(state.generator, after.generator, gradient)
    np.testing.assert_allclose(metrics["generator_penalty"], penalty, rtol=1e-5)


# What networks take.


def test_latents_may_be_several_each_with_its_own_key():
    inputs = {"z": keras.Input((3,), name="z"), "noise": keras.Input((2, 1), name="noise")}
    generator = keras.Model(inputs, dense(2, inputs["z"], layers.Flatten()(inputs["noise"])))
    gan = sgd(generator, D())
    drawn = ganjax.sample_latent(gan, jax.random.key(0), 500)
    assert {name: x.shape for name, x in drawn.items()} == {"z": (500, 3), "noise": (500, 2, 1)}
    assert not np.array_equal(drawn["z"][:, :2], drawn["noise"][..., 0])
    named = dataclasses.replace(
        gan, latent=latents.by_name(z=ganjax.Normal(5.0), noise=ganjax.Normal(0.0, 0.1))
    )
    drawn = ganjax.sample_latent(named, jax.random.key(0), 500)
    assert abs(np.mean(drawn["z"]) - 5) < 0.1
    assert abs(np.std(drawn["noise"]) - 0.1) < 0.01
    _, draws, after, _ = stepped(gan, REAL)
    assert draws.discriminator[0].latents["noise"].shape == (BATCH, 2, 1)
    samples = ganjax.generate(gan, after, jax.random.key(1), 7)
    expected = ganjax.decode(gan, after, ganjax.sample_latent(gan, jax.random.key(1), 7))
    np.testing.assert_array_equal(samples, expected)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("z",), "distributions for z, but the generator takes noise, z"),
        (("noise", "x", "z"), "for noise, x, z, but"),
    ],
)
def test_distributions_are_those_of_the_inputs(names, message):
    inputs = {"z": keras.Input((3,), name="z"), "noise": keras.Input((2,), name="noise")}
    generator = keras.Model(inputs, dense(2, *inputs.values()))
    with pytest.raises(ValueError, match=message):
        sgd(generator, D(), latent=latents.by_name(**dict.fromkeys(names, ganjax.Normal())))
    with pytest.raises(ValueError, match="but the generator takes one array"):
        sgd(G(), D(), latent=latents.by_name(z=ganjax.Normal()))


class Subclassed(keras.Model):
    """Takes `[x, label]`, as Keras notes only when it is called."""

    def __init__(self, units):
        super().__init__()
        self.dense = layers.Dense(units)

    def call(self, inputs, training=None):
        return self.dense(keras.ops.concatenate(inputs, axis=-1))


def test_subclassed_models_with_labels():
    generator, discriminator = Subclassed(2), Subclassed(1)
    with stateless.standard_promotion():
        generator([np.zeros((1, 3), np.float32), np.zeros((1, 5), np.float32)])
        discriminator([np.zeros((1, 2), np.float32), np.zeros((1, 5), np.float32)])
    gan = sgd(generator, discriminator)
    assert (gan.latent_shape, gan.sample_shape, gan.label_shape) == ((3,), (2,), (5,))
    assert stepped(gan, Labelled(REAL, np.ones((BATCH, 5), np.float32)))[-1]["finite"] == 1


def test_latents_are_as_asked_for():
    with pytest.raises(ValueError, match=r"shape \(4, 3\) that it is asked for, got \(2, 3\)"):
        stepped(sgd(G(), D(), latent=lambda key, shape: jax.random.normal(key, shape)[:2]), REAL)
    inputs = {"z": keras.Input((3,), name="z"), "code": keras.Input((), dtype="int32", name="code")}
    generator = keras.Model(inputs, dense(2, inputs["z"], layers.Embedding(5, 2)(inputs["code"])))
    with pytest.raises(TypeError, match="latent gives float32 for an input of the generator that is int32"):
        stepped(sgd(generator, D()), REAL)

    def codes(key, shape):
        return jax.random.randint(key, shape, 0, 5)

    gan = sgd(generator, D(), latent=latents.by_name(z=ganjax.Normal(), code=codes))
    assert ganjax.sample_latent(gan, jax.random.key(0), 4)["code"].dtype == jnp.int32
    assert stepped(gan, REAL)[-1]["finite"] == 1


def labelled_pair(of_G, of_D, classes=5):
    """Networks of which either, both or none embeds integer labels."""
    z, x = keras.Input((3,)), keras.Input((2,))
    label = [keras.Input((), dtype="int32") for _ in range(2)]
    seen_by_G = dense(2, z, layers.Embedding(classes, 3)(label[0])) if of_G else dense(2, z)
    seen_by_D = dense(1, x, layers.Embedding(classes, 3)(label[1])) if of_D else dense(1, x)
    return (
        keras.Model([z, label[0]] if of_G else z, seen_by_G),
        keras.Model([x, label[1]] if of_D else x, seen_by_D),
    )


@pytest.mark.parametrize(("of_G", "of_D"), [(True, True), (True, False), (False, True)])
def test_labels_may_be_integers_and_of_one_network_alone(of_G, of_D):
    gan = sgd(*labelled_pair(of_G, of_D), loss=losses.wasserstein)
    classes = np.int32([4, 0, 1, 4])
    state, draws, after, _ = stepped(gan, Labelled(REAL, classes))
    z = draws.discriminator[0].latents

    def logits(D_params, G_params):
        fake = call(gan.generator, state.generator, G_params, z, *([classes] if of_G else []))
        return jnp.mean(
            call(gan.discriminator, state.discriminator, D_params, fake, *([classes] if of_D else []))
        )

    gradient = jax.grad(logits, 1)(state.discriminator.params, state.generator.params)
    assert_moved(state.generator, after.generator, [-g for g in gradient])
    given = {"labels": classes[:2]} if of_G else {}
    assert ganjax.generate(gan, after, jax.random.key(0), 2, **given).shape == (2, 2)
    given = {"labels": classes} if of_D else {}
    assert ganjax.discriminate(gan, after, REAL, **given).shape == (BATCH, 1)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_integers_pass_unchanged_in_every_precision(policy):
    """In bfloat16, 257 is 256: the gradient must reach row 257 of the table, and no other."""
    keras.config.set_dtype_policy(policy)
    try:
        gan = sgd(*labelled_pair(True, True, classes=300))
    finally:
        keras.config.set_dtype_policy("float32")
    state, _, after, _ = stepped(gan, Labelled(REAL, np.int32([257] * BATCH)))
    for network in ("generator", "discriminator"):
        table, moved = (np.asarray(getattr(s, network).params[0]) for s in (state, after))
        assert table.shape == (300, 3)
        assert set(np.flatnonzero(np.any(table != moved, axis=1)).tolist()) <= {257}
        assert np.any(table[257] != moved[257])


def test_a_generator_of_labels_alone():
    condition = keras.Input((2,))
    gan = sgd(keras.Model(condition, dense(2, condition)), D(), latent=None, loss=losses.l1)
    labels = np.float32(REAL[::-1])
    state, draws, after, metrics = stepped(gan, Labelled(REAL, labels))
    assert draws.discriminator[0].latents is None
    difference = call(gan.generator, state.generator, state.generator.params, labels) - REAL
    np.testing.assert_allclose(metrics["generator_loss"], np.mean(np.abs(difference)), rtol=1e-6)
    samples = ganjax.generate(gan, after, jax.random.key(0), BATCH, labels=labels)
    np.testing.assert_array_equal(samples, ganjax.decode(gan, after, None, labels, ema=True))
    assert gan.latent_shape is None


def test_each_network_gets_the_labels_that_it_names():
    z, x = keras.Input((3,), name="latents"), keras.Input((2,))
    shape = keras.Input((1,), name="shape")
    kind = keras.Input((), dtype="int32", name="kind")
    generator = keras.Model(
        {"latents": z, "labels": {"kind": kind}}, dense(2, z, layers.Embedding(3, 2)(kind))
    )
    discriminator = keras.Model([x, {"shape": shape}], dense(1, x, shape))
    gan = sgd(generator, discriminator)
    labels = {"kind": np.int32([0, 1, 2, 2]), "shape": np.ones((BATCH, 1), np.float32)}
    _, _, after, metrics = stepped(gan, Labelled(REAL, labels))
    assert metrics["finite"] == 1
    assert gan.label_shape == {"kind": (), "shape": (1,)}
    ganjax.generate(gan, after, jax.random.key(0), BATCH, labels=labels)
    with pytest.raises(TypeError, match=r"labels must be a dict with kind, shape, got a dict with kind"):
        stepped(gan, Labelled(REAL, {"kind": labels["kind"]}))


def test_several_labels_are_a_tuple():
    z, one, two = keras.Input((3,)), keras.Input((1,)), keras.Input((2,))
    gan = sgd(keras.Model([z, one, two], dense(2, z, one, two)), D())
    labels = np.ones((BATCH, 1), np.float32), np.ones((BATCH, 2), np.float32)
    assert stepped(gan, Labelled(REAL, labels))[-1]["finite"] == 1
    with pytest.raises(ValueError, match=r"labels\[1\] must have shape \(4, 2\), got \(4, 1\)"):
        stepped(gan, Labelled(REAL, (labels[0], labels[0])))


@pytest.mark.parametrize("penalty", [ganjax.R1(1.0), ganjax.R2(1.0), ganjax.WGANGP(1.0)])
def test_samples_may_be_several(penalty):
    z = keras.Input((3,))
    generator = keras.Model(z, {"a": dense(2, z), "b": dense(1, z), "more": dense(4, z)})
    inputs = {"a": keras.Input((2,), name="a"), "b": keras.Input((1,), name="b")}
    gan = sgd(generator, keras.Model(inputs, dense(1, *inputs.values())), penalties=(penalty,))
    real = {"a": REAL, "b": REAL[:, :1]}
    _, _, after, metrics = stepped(gan, real)
    kernel = ganjax.init_state(gan, jax.random.key(0)).discriminator.params[0]
    square = np.sum(np.square(kernel))  # D is linear: its slope is its kernel
    expected = (np.sqrt(square) - 1) ** 2 if isinstance(penalty, ganjax.WGANGP) else square / 2
    np.testing.assert_allclose(metrics["penalty"], expected, rtol=1e-5)
    samples = ganjax.generate(gan, after, jax.random.key(0), 3)
    assert {name: x.shape for name, x in samples.items()} == {"a": (3, 2), "b": (3, 1)}
    assert gan.sample_shape == {"a": (2,), "b": (1,)}
    source = ganjax.datasets.batches.Resident(real, np.arange(BATCH))
    batch = source.fetch(jnp.int32([3, 0]), 2)
    np.testing.assert_array_equal(batch.samples["b"], REAL[[3, 0], :1])
    np.testing.assert_array_equal(batch.labels, [3, 0])
    with pytest.raises(TypeError, match="real must be a dict with a, b, got an array"):
        stepped(gan, REAL)
    with pytest.raises(ValueError, match="all parts of real must hold equally many samples"):
        stepped(gan, {"a": REAL, "b": REAL[:2, :1]})


# Averages.


def test_the_decay_of_the_average_needs_no_warm_up():
    gan = sgd(G(), D(), ema_decay=0.75, ema_warmup=False)
    state, _, after, _ = stepped(gan, REAL)
    for old, new, mean in zip(state.generator.params, after.generator.params, after.ema.params, strict=True):
        np.testing.assert_allclose(mean, 0.75 * old + 0.25 * new, rtol=1e-6, atol=1e-7)


def test_averages_and_penalties_count_updates_of_multi_steps():
    counted = []

    def counting(discriminator, real, fake, *, key, step):
        return step.astype(jnp.float32)

    gathered = {
        f"{role}_optimizer": optax.MultiSteps(optax.sgd(RATE), 2) for role in ("generator", "discriminator")
    }
    gan = sgd(G(), D(), penalties=(counting,), **gathered)
    state = ganjax.init_state(gan, jax.random.key(0))
    step = jax.jit(ganjax.train_step, static_argnums=0)
    states = [state]
    for _ in range(4):
        state, metrics = step(gan, state, REAL)
        states.append(state)
        counted.append(float(metrics["penalty"]))
    assert counted == [0, 0, 1, 1]
    assert int(state.step) == 4
    expected = states[0].ema.params[0]
    for done, (before, after) in enumerate(zip(states[:-1:2], states[2::2], strict=True)):
        np.testing.assert_array_equal(states[2 * done + 1].ema.params[0], before.ema.params[0])
        decay = (1 + done) / (10 + done)
        expected = decay * expected + (1 - decay) * after.generator.params[0]
        np.testing.assert_allclose(after.ema.params[0], expected, rtol=1e-6, atol=1e-7)


def test_moving_averages_of_the_generator_advance_once_a_step():
    """However often D is updated: they are those of the pass whose gradient changes G."""
    normalized = keras.Sequential(
        [keras.Input((3,)), layers.BatchNormalization(momentum=0.5), layers.Dense(2)]
    )
    gan = sgd(normalized, D(), discriminator_updates=3, update="alternating")
    state = ganjax.init_state(gan, jax.random.key(0))
    draws = ganjax.draws.draw(gan, state.key, state.step, BATCH)
    after, _ = ganjax.train_step(gan, state, np.concatenate([REAL] * 3))
    mean = np.mean(draws.generator.latents, axis=0)
    np.testing.assert_allclose(after.generator.statistics[0], 0.5 * mean, rtol=1e-5, atol=1e-6)


# float16.


def float16_pair():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return G(), D()
    finally:
        keras.config.set_dtype_policy("float32")


def test_a_step_whose_gradients_overflow_is_skipped_and_counted():
    gan = sgd(*float16_pair(), loss_scale=ganjax.LossScale(initial=2.0**30, factor=2.0**12))
    state = ganjax.init_state(gan, jax.random.key(0))
    chunk = compile_chunk(gan, BATCH, 4)
    before = jax.tree.map(jnp.copy, state)
    source = ganjax.datasets.batches.Whole(REAL)
    state, rows = chunk(state, source, jax.random.key(1), 1)
    assert rows["skipped_updates"][0] == 2
    assert rows["finite"][0] == 1
    assert not np.isfinite(rows["generator_gradient_norm"][0])
    assert rows["loss_scale"][0] == 2.0**18
    for name in ("generator", "discriminator"):
        was, now = getattr(before, name), getattr(state, name)
        np.testing.assert_array_equal(
            np.concatenate([*map(np.ravel, was.params)]), np.concatenate([*map(np.ravel, now.params)])
        )
    state, rows = chunk(state, source, jax.random.key(1), 3)
    assert rows["skipped_updates"][2] == 0
    assert any(np.any(a != b) for a, b in zip(before.generator.params, state.generator.params, strict=True))
    assert int(state.generator.loss_scale.skipped) >= 1


def test_a_scaled_loss_gives_the_same_update():
    """Powers of two: the same numbers, but for those too small for float16."""
    pair = float16_pair()
    plain, scaled = (
        sgd(*pair, penalties=(ganjax.R1(0.1),), loss_scale=scale)
        for scale in (None, ganjax.LossScale(2.0**8))
    )
    for update in ("simultaneous", "alternating"):
        one, other = (stepped(dataclasses.replace(gan, update=update), REAL)[2] for gan in (plain, scaled))
        for network in ("generator", "discriminator"):
            for a, b in zip(getattr(one, network).params, getattr(other, network).params, strict=True):
                np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5)


def test_no_recompilation():
    gan = sgd(*labelled_pair(True, False), loss=losses.with_label_noise(0.1), generator_penalties=(_zero,))
    state = ganjax.init_state(gan, jax.random.key(0))
    step = jax.jit(lambda *arguments: ganjax.train_step(gan, *arguments))
    for classes in ([0, 1, 2, 3], [3, 3, 3, 3], [1, 0, 1, 0]):
        state, _ = step(state, Labelled(REAL, np.int32(classes)))
    assert step._cache_size() == 1


def _zero(generator, z, *, key, step):
    return jnp.mean(generator(z)) * 0


@pytest.mark.parametrize(
    ("augment", "made"),
    [
        (lambda key, x: x[:, :1], r"it made float32\(4, 1\) of float32\(4, 2\)"),
        (lambda key, x: x.astype(jnp.int32), r"it made int32\(4, 2\) of"),
        (lambda key, x: {"a": x}, r"it made \{'a': .*\} of"),
    ],
)
def test_an_augmentation_keeps_the_form_of_samples(augment, made):
    gan = sgd(G(), D(), augment=augment)
    state = ganjax.init_state(gan, jax.random.key(0))
    with pytest.raises(ValueError, match="augment must keep the shape and dtype of samples: " + made):
        ganjax.train_step(gan, state, REAL)


def test_adaptive_augmentation_of_several_arrays():
    """Each sample is altered as a whole, or not at all."""
    adaptive = ganjax.augmentations.Adaptive(lambda key, x: jax.tree.map(lambda x: x + 1, x))
    state = adaptive.init()._replace(p=jnp.float32(0.5))
    samples = {"a": jnp.zeros((64, 2)), "b": jnp.zeros((64, 3, 1))}
    altered = adaptive(jax.random.key(0), samples, state)
    chosen = altered["a"][:, 0]
    assert 16 < np.sum(chosen) < 48
    np.testing.assert_array_equal(altered["a"], np.repeat(chosen[:, None], 2, 1))
    np.testing.assert_array_equal(altered["b"][..., 0], np.repeat(chosen[:, None], 3, 1))
