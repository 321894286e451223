"""Networks of several inputs and outputs, and labels for one of them."""

import dataclasses

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras import layers
from small_gans import BATCH, REAL, D, G, assert_moved, call, dense, sgd, stepped

import ganjax
from ganjax import Labelled, latents, losses, stateless


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
