"""Augmentations: what each does, by itself and in a step."""

import random

import by_hand
import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from by_hand import QUICK

import ganjax
from ganjax.augmentations import (
    AUGMENTATIONS,
    Adaptive,
    Sequence,
    color,
    cutout,
    diff_augment,
    from_keras,
    horizontal_flip,
    translation,
)
from ganjax.draws import draw

N, SIZE = 64, 8


def pictures(n=N, height=SIZE, width=SIZE, seed=0):
    return jax.random.uniform(jax.random.key(seed), (n, height, width, 3), minval=-1.0, maxval=1.0)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_pure_and_each_picture_by_itself(name):
    augment, images = jax.jit(AUGMENTATIONS[name]), pictures()
    once, again = augment(jax.random.key(1), images), augment(jax.random.key(1), images)
    np.testing.assert_array_equal(once, again)
    assert once.shape == images.shape
    assert once.dtype == jnp.float32
    assert not np.array_equal(once, augment(jax.random.key(2), images))
    assert augment._cache_size() == 1
    # The same picture over and over is altered in more than one way.
    same = augment(jax.random.key(1), jnp.broadcast_to(images[:1], images.shape))
    assert len(np.unique(np.asarray(same), axis=0)) > 1


def test_flip_mirrors_about_half():
    images = pictures(n=400)
    flipped = np.asarray(horizontal_flip(jax.random.key(0), images))
    images = np.asarray(images)
    mirrored = (flipped == images[:, :, ::-1]).all(axis=(1, 2, 3))
    kept = (flipped == images).all(axis=(1, 2, 3))
    assert (mirrored ^ kept).all()
    assert 140 < mirrored.sum() < 260


def test_color_moves_means_as_drawn():
    """Brightness shifts the mean; saturation and contrast keep it, and scale what is left."""
    images, key = pictures(), jax.random.key(4)
    altered = np.asarray(color(key, images), np.float64)
    b, s, c = np.asarray(jax.random.uniform(key, (3, N, 1, 1, 1)), np.float64)
    x = np.asarray(images, np.float64)
    shift = altered.mean(axis=(1, 2, 3)) - x.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(shift, b.ravel() - 0.5, atol=1e-6)
    assert -0.5 <= shift.min() < -0.3
    assert 0.3 < shift.max() <= 0.5

    def chroma(x):
        return x - x.mean(axis=3, keepdims=True)

    np.testing.assert_allclose(chroma(altered), 2 * s * (0.5 + c) * chroma(x), atol=1e-5)


@pytest.mark.parametrize(
    ("height", "width", "ratio"), [(2, 20, 0.3), (13, 7, 0.125), (8, 8, 0.0), (3, 4, 1.0)]
)
def test_translation_shifts_whole_pixels(height, width, ratio):
    images = np.asarray(pictures(8, height, width)) + 3.0  # nothing of a picture is 0
    moved = np.asarray(jax.jit(translation, static_argnames="ratio")(jax.random.key(1), images, ratio=ratio))
    reach = round(height * ratio), round(width * ratio)
    for picture, result in zip(images, moved, strict=True):
        padded = np.pad(picture, ((reach[0],) * 2, (reach[1],) * 2, (0, 0)))
        places = [
            (y, x)
            for y in range(2 * reach[0] + 1)
            for x in range(2 * reach[1] + 1)
            if np.array_equal(padded[y : y + height, x : x + width], result)
        ]
        assert places


def test_translation_reaches_every_shift():
    images = jnp.broadcast_to(pictures(n=1) + 3.0, (600, SIZE, SIZE, 3))
    moved = np.asarray(translation(jax.random.key(0), images, ratio=0.125))
    assert len(np.unique(moved, axis=0)) == 9


@pytest.mark.parametrize(
    ("height", "width", "ratio"), [(2, 20, 0.5), (13, 7, 0.25), (8, 8, 0.5), (3, 4, 0.25)]
)
def test_cutout_takes_one_rectangle(height, width, ratio):
    images = pictures(8, height, width) + 3.0
    cut = np.asarray(jax.jit(cutout, static_argnames="ratio")(jax.random.key(1), images, ratio=ratio))
    sides = round(height * ratio), round(width * ratio)
    for picture, result in zip(np.asarray(images), cut, strict=True):
        gone = (result == 0).all(axis=2)
        np.testing.assert_array_equal(result[~gone], picture[~gone])
        rows, columns = np.flatnonzero(gone.any(axis=1)), np.flatnonzero(gone.any(axis=0))
        np.testing.assert_array_equal(gone, np.outer(gone.any(axis=1), gone.any(axis=0)))
        for found, side, size in ((rows, sides[0], height), (columns, sides[1], width)):
            assert len(found) <= side
            # Less than the whole side only where the rectangle leaves the picture.
            assert len(found) == side or not len(found) or 0 in found or size - 1 in found


def test_cutout_is_centred_anywhere():
    gone = np.asarray(cutout(jax.random.key(0), jnp.ones((4000, SIZE, SIZE, 1)))) == 0
    share = gone.mean(axis=0)[..., 0]
    np.testing.assert_allclose(share, share[::-1, ::-1], atol=0.05)  # no side is preferred
    assert share.min() > 0.05


@pytest.mark.parametrize("augment", [*AUGMENTATIONS.values(), diff_augment], ids=[*AUGMENTATIONS, "all"])
def test_the_gradient_comes_back_through_it(augment):
    """Linear in the pictures, up to a constant: so the gradient is that of finite differences, exactly."""
    images, key = pictures(n=4), jax.random.key(2)
    weights, direction = pictures(n=4, seed=1), pictures(n=4, seed=2)

    def total(x):
        return jnp.sum(weights * augment(key, x))

    slope = jnp.sum(jax.grad(total)(images) * direction)
    np.testing.assert_allclose(slope, total(images + direction) - total(images), rtol=1e-3, atol=1e-2)
    assert abs(slope) > 1e-3


def test_parts_of_a_sequence_have_keys_of_their_own():
    images, key = pictures(), jax.random.key(5)
    both = Sequence((translation, translation))(key, images)
    first = translation(jax.random.fold_in(key, 0), images)
    np.testing.assert_array_equal(both, translation(jax.random.fold_in(key, 1), first))
    assert hash(Sequence((color, cutout))) == hash(Sequence((color, cutout)))


# In a step.


def shout(key, x):
    """An alteration that shows which key it had, and by how much the gradient comes back."""
    return 2.0 * x + jax.random.normal(key, x.shape)


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_a_step_alters_real_and_generated_alike(update):
    """The written losses, with the alteration between every picture and the discriminator."""
    sgd = optax.sgd(0.1)
    kinds = {"update": update, "generator_optimizer": sgd, "discriminator_optimizer": sgd}
    plain = ganjax.GAN(by_hand.sequential.generator(), by_hand.sequential.discriminator(), **kinds)
    gan = ganjax.GAN(plain.generator, plain.discriminator, augment=shout, **kinds)
    state = ganjax.init_state(gan, jax.random.key(0))
    real = jax.random.normal(jax.random.key(1), (6, 2))
    step = jax.jit(ganjax.train_step, static_argnums=0, compiler_options=QUICK)
    after, metrics = step(gan, state, real)
    assert metrics["finite"] == 1

    drawn = draw(gan, state.key, state.step, 6)
    D_drawn, G_drawn = drawn.discriminator[-1], drawn.generator or drawn.discriminator[-1]

    def seen(x, drawn, which):
        return shout(jax.random.fold_in(drawn.augment_key, which), x)

    def G(params, drawn):
        return by_hand.sequential.G(params, [], drawn.latents, None)[0]

    def D(params, x):
        return by_hand.sequential.D(params, [], x, None)[0]

    def one_update(loss, params):
        return [p - 0.1 * g for p, g in zip(params, jax.grad(loss)(params), strict=True)]

    def D_loss(params):
        fake = seen(G(state.generator.params, D_drawn), D_drawn, 1)
        return ganjax.discriminator_loss(D(params, seen(real, D_drawn, 0)), D(params, fake))

    with jax.numpy_rank_promotion("allow"):
        new_D = one_update(D_loss, state.discriminator.params)
        D_params = state.discriminator.params if update == "simultaneous" else new_D

        def G_loss(params):
            return ganjax.generator_loss(D(D_params, seen(G(params, G_drawn), G_drawn, 1)))

        new_G = one_update(G_loss, state.generator.params)
    for got, wanted in ((after.discriminator.params, new_D), (after.generator.params, new_G)):
        for a, b in zip(got, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_penalties_see_what_the_discriminator_sees():
    seen = []

    def note(discriminator, real, fake, *, key, step):
        seen.append((real, fake))
        return jnp.zeros(())

    gan = ganjax.GAN(
        by_hand.sequential.generator(),
        by_hand.sequential.discriminator(),
        augment=lambda key, x: jnp.full_like(x, 7.0),
        penalties=(note,),
        transform=None,
    )
    state = ganjax.init_state(gan, jax.random.key(0))
    ganjax.train_step(gan, state, jnp.ones((3, 2)))
    for x in seen[0]:
        np.testing.assert_array_equal(x, 7.0)


def test_an_augmentation_that_is_none():
    with pytest.raises(TypeError, match="augment must be a function"):
        ganjax.GAN(by_hand.sequential.generator(), by_hand.sequential.discriminator(), augment="flip")


# Keras's layers.

COLOURS = {"value_range": (-1, 1)}
LAYERS = {
    "RandomBrightness": {"factor": 0.3, **COLOURS},
    "RandomColorDegeneration": {"factor": 0.5, **COLOURS},
    "RandomColorJitter": {"brightness_factor": 0.2, "hue_factor": 0.2, **COLOURS},
    "RandomContrast": {"factor": 0.3, **COLOURS},
    "RandomErasing": {},
    "RandomFlip": {"mode": "horizontal"},
    "RandomGaussianBlur": COLOURS,
    "RandomGrayscale": {},
    "RandomHue": {"factor": 0.3, **COLOURS},
    "RandomInvert": COLOURS,
    "RandomPerspective": {},
    "RandomRotation": {"factor": 0.1},
    "RandomSaturation": {"factor": 0.3, **COLOURS},
    "RandomSharpness": {"factor": 0.5, **COLOURS},
    "RandomShear": {"x_factor": 0.2, "y_factor": 0.2},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
    "RandomZoom": {"height_factor": 0.2},
    "Dropout": {"rate": 0.2},
    "GaussianNoise": {"stddev": 0.1},
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_keras(name):
    """Each image by itself, another one for every key, and nothing of the layer is changed."""
    layer = getattr(keras.layers, name)(**LAYERS[name])
    before = [np.array(v.value) for v in layer.variables]
    augment = jax.jit(from_keras(layer), compiler_options=QUICK)
    images = jnp.broadcast_to(pictures(1), (N, SIZE, SIZE, 3))
    once, again, other = (augment(jax.random.key(i), images) for i in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert np.any(np.asarray(once != other))
    assert once.shape == images.shape
    assert once.dtype == jnp.float32
    assert len(np.unique(np.asarray(once), axis=0)) > 1
    assert augment._cache_size() == 1
    for a, variable in zip(before, layer.variables, strict=True):
        np.testing.assert_array_equal(a, variable.value)


def test_every_random_layer_of_keras_is_tested():
    known = {name for name in dir(keras.layers) if name.startswith("Random")}
    assert known <= LAYERS.keys() | {"RandomCrop", "RandomElasticTransform", "RandomPosterization"}


def test_several_layers_one_after_another():
    parts = [keras.layers.RandomTranslation(0.3, 0.3), keras.layers.GaussianNoise(0.1)]
    images, key = pictures(4), jax.random.key(3)
    both = from_keras(parts)(key, images)
    np.testing.assert_array_equal(both, from_keras(keras.Sequential(parts))(key, images))
    assert np.any(np.asarray(both != from_keras(parts[:1])(key, images)))
    assert hash(from_keras(parts)) == hash(from_keras(parts))
    assert from_keras(parts) == from_keras(parts)
    assert from_keras(parts[0])(key, jnp.ones((2, 5, 7, 1))).shape == (2, 5, 7, 1)
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *parts])
    np.testing.assert_array_equal(both, from_keras(model)(key, images))


def test_layers_of_keras_under_vmap_and_grad():
    augment = from_keras(keras.layers.RandomFlip("horizontal"))
    images, keys = pictures(2), jax.random.split(jax.random.key(0), 3)
    several = jax.vmap(augment, (0, None))(keys, images)
    for one, key in zip(several, keys, strict=True):
        np.testing.assert_array_equal(one, augment(key, images))
    gradient = jax.grad(lambda x: jnp.sum(augment(keys[0], x) * images))(images)
    np.testing.assert_allclose(gradient, augment(keys[0], images), atol=1e-6)  # a flip is its own transpose


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: keras.layers.RandomCrop(4, 4), ValueError, r"\(RandomCrop\) cannot be compiled by JAX"),
        (
            lambda: keras.layers.RandomPosterization(4, **COLOURS),
            ValueError,
            "has no derivative by the images",
        ),
        (lambda: keras.layers.Dense(3), ValueError, "has weights, which a step would neither train nor keep"),
        (lambda: [keras.layers.RandomInvert(), jnp.tanh], TypeError, "from_keras takes Keras layers, got"),
        (lambda: PythonRandom(), ValueError, "draws from Python's random numbers"),
    ],
)
def test_layers_that_a_step_cannot_use(make, kind, message):
    with pytest.raises(kind, match=message) as error:
        from_keras(make())
    assert "\n" not in str(error.value)


class PythonRandom(keras.layers.Layer):
    def call(self, x):
        return x * random.random()


# Adaptive augmentation.


def test_probability_of_an_augmentation():
    """None at 0, bit for bit; all at 1; about half at one half, each part chosen by itself."""
    images = pictures(400)
    adaptive = Adaptive((lambda key, x: x + 10.0, lambda key, x: x + 100.0))
    augment = jax.jit(adaptive)

    def added(p):
        state = adaptive.init()._replace(p=jnp.float32(p))
        result = augment(jax.random.key(0), images, state)
        assert result.dtype == jnp.float32
        return np.round(np.asarray(result - images).mean(axis=(1, 2, 3)), 2)

    np.testing.assert_array_equal(augment(jax.random.key(0), images, adaptive.init()), images)
    np.testing.assert_array_equal(added(1.0), 110)
    counts = [np.sum(added(0.5) == amount) for amount in (0, 10, 100, 110)]
    assert sum(counts) == 400
    assert all(60 < count < 140 for count in counts)
    assert augment._cache_size() == 1


def test_parts_of_an_adaptive_augmentation_have_keys_of_their_own():
    adaptive, images = Adaptive(diff_augment), pictures()
    assert adaptive.parts == diff_augment.parts
    assert hash(Adaptive([color])) == hash(Adaptive((color,)))
    assert Adaptive(color).parts == (color,)
    key, full = jax.random.key(2), adaptive.init()._replace(p=jnp.float32(1.0))
    by_hand = images
    for i, part in enumerate(diff_augment.parts):
        by_hand = part(jax.random.split(jax.random.fold_in(key, i))[1], by_hand)
    np.testing.assert_allclose(adaptive(key, images, full), by_hand, atol=1e-6)


def test_probability_by_hand():
    adaptive = Adaptive(color, target=0.5, images=100, interval=2)
    update, state, course = jax.jit(adaptive.update), adaptive.init(), []
    sure = jnp.array([[3.0], [2.0], [0.1], [1.0], [-1.0], [5.0], [1.0], [1.0], [1.0], [1.0]])  # mean sign 0.8
    unsure, unknown = sure.at[:3].multiply(-1), jnp.full((10, 1), jnp.float32(jnp.nan))  # 0.2 and 0
    for logits in [sure, sure, unsure, sure, sure, sure, sure, unsure, unknown, unknown, unsure, unsure]:
        state = update(state, logits)
        course.append((round(float(state.p), 4), int(state.count)))
    assert course == [
        (0.0, 1), (0.2, 0), (0.2, 1), (0.2, 0), (0.2, 1), (0.4, 0),
        (0.4, 1), (0.4, 0), (0.4, 1), (0.2, 0), (0.2, 1), (0.0, 0),
    ]  # fmt: skip
    for _ in range(2):
        state = update(state, unsure)
    assert float(state.p) == 0
    assert update._cache_size() == 1
    assert [x.dtype for x in state] == [jnp.float32, jnp.float32, jnp.int32]


def test_probability_stays_at_most_one():
    adaptive = Adaptive(color, images=8, interval=1)
    state = adaptive.init()
    for expected in (0.75, 1.0, 1.0):
        state = adaptive.update(state, jnp.ones((6, 2, 2)))
        assert float(state.p) == expected


def test_an_adaptive_augmentation_has_its_state_in_the_gans():
    adaptive = Adaptive(shout)
    gan = ganjax.GAN(by_hand.sequential.generator(), by_hand.sequential.discriminator(), augment=adaptive)
    state = ganjax.init_state(gan, jax.random.key(0))
    assert state.augment == adaptive.init()
    plain = ganjax.GAN(gan.generator, gan.discriminator, augment=shout)
    assert ganjax.init_state(plain, jax.random.key(0)).augment is None
    assert "augment/p" in ganjax.state_to_arrays(state)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"augmentation": ()}, TypeError, "augmentation must be functions"),
        ({"augmentation": "flip"}, TypeError, "augmentation must be functions"),
        ({"target": 1.0}, ValueError, r"target must be a number in \(-1, 1\), got 1.0"),
        ({"interval": 0}, ValueError, "interval must be a whole number of at least 1, got 0"),
        ({"images": 1e5}, ValueError, "images must be a whole number"),
    ],
)
def test_adaptive_augmentations_out_of_range(settings, kind, message):
    with pytest.raises(kind, match=message):
        Adaptive(**{"augmentation": color, **settings})
