"""The cartoon networks have the stated shapes, parameter counts and names, and save as plain Keras."""

from functools import partial

import jax
import keras
import numpy as np
import pytest

from ganjax.networks import cartoon
from ganjax.stateless import without_values

# Keras adds a bias by rank promotion, and hands its variables to NumPy without the copy keyword.
pytestmark = [
    pytest.mark.usefixtures("keras_promotion"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.mark.parametrize("size", [32, 64, 128])
def test_sizes_and_widths(size):
    generator = without_values(lambda: cartoon.cartoon_generator(size, 3, latent=5))
    discriminator = without_values(lambda: cartoon.cartoon_discriminator(size, 2))
    assert generator.input_shape == (None, 5)
    assert generator.output_shape == discriminator.input_shape == (None, size, size, 3)
    assert discriminator.output_shape == (None, 1)
    half = size // 2
    assert generator.get_layer(f"activation_{half}").output.shape == (None, half, half, 3)
    assert generator.get_layer("base_picture").output.shape == (None, 4, 4, 3 * size // 8)
    assert discriminator.get_layer(f"activation_{half}").output.shape == (None, half, half, 2)
    assert discriminator.get_layer("residual_4").output.shape == (None, 4, 4, 2 * size // 8)


def test_default_pair_has_the_stated_parameter_counts():
    assert without_values(cartoon.cartoon_generator).count_params() == 1_027_209
    assert without_values(cartoon.cartoon_discriminator).count_params() == 240_785


def test_labels_are_used_by_both_networks():
    generator = cartoon.cartoon_generator(32, 2, latent=4, labels=3)
    discriminator = cartoon.cartoon_discriminator(32, 2, labels=3)
    assert generator.input_shape == [(None, 4), (None, 3)]
    assert discriminator.input_shape == [(None, 32, 32, 3), (None, 3)]
    latents, labels = np.ones((3, 4), "float32"), np.eye(3, dtype="float32")
    pictures = np.asarray(generator([latents, labels]))
    assert not np.allclose(pictures[0], pictures[1])
    same = np.repeat(pictures[:1], 3, axis=0)
    assert len(np.unique(np.asarray(discriminator([same, labels])))) == 3
    # Miyato and Koyama's equation 3: with a label of zeros, only the logit of the picture is left.
    plain = keras.Model(discriminator.inputs[0], discriminator.get_layer("logit").output)
    np.testing.assert_allclose(discriminator([same, 0 * labels]), plain(same), rtol=0, atol=1e-5)


def test_spectral_and_batch_norm_are_where_the_docstring_says():
    kinds = {"spectral": keras.layers.SpectralNormalization, "batch_norm": keras.layers.BatchNormalization}
    for name, kind in kinds.items():
        discriminator = without_values(partial(cartoon.cartoon_discriminator, 32, 2, **{name: True}))
        count = sum(isinstance(layer, kind) for layer in discriminator.layers)
        assert count == {"spectral": 6, "batch_norm": 2}[name]  # every kernel; every block except the first
        other = next(each for each in kinds.values() if each is not kind)
        assert not any(isinstance(layer, other) for layer in discriminator.layers)


def test_halving_moves_each_square_of_pixels_into_channels():
    picture = np.arange(2 * 4 * 6 * 3, dtype="float32").reshape(2, 4, 6, 3)[:, :, :4]
    inputs = keras.Input((4, 4, 3))
    halved = np.asarray(keras.Model(inputs, cartoon._halved(inputs, 2))(picture))
    for row in range(2):
        for column in range(2):
            square = picture[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            np.testing.assert_array_equal(halved[:, row, column], square.reshape(2, 12))


def test_pictures_are_in_range_and_logits_do_not_depend_on_the_batch():
    latents = jax.random.normal(jax.random.key(0), (3, 4))
    pictures = np.asarray(cartoon.cartoon_generator(32, 2, latent=4)(latents, training=True))
    assert np.abs(pictures).max() <= 1
    discriminator = cartoon.cartoon_discriminator(32, 2)
    together = np.asarray(discriminator(pictures, training=True))
    alone = np.concatenate([np.asarray(discriminator(p[None], training=True)) for p in pictures])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", [cartoon.cartoon_generator, cartoon.cartoon_discriminator])
def test_wrong_arguments_are_named(make):
    with pytest.raises(ValueError, match="32, 64 or 128 pixels, not 48"):
        make(48, 8)
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        make(32, 0)


def test_names_do_not_depend_on_what_was_built_before():
    def names():
        makers = (
            partial(cartoon.cartoon_generator, 32, 1, latent=2),
            partial(cartoon.cartoon_discriminator, 32, 1),
        )
        models = [without_values(make) for make in makers]
        # Keras numbers the names that it chooses, so a second build would differ if it chose any.
        return [
            [model.name, *(layer.name for layer in model.layers), *(v.path for v in model.variables)]
            for model in models
        ]

    assert names() == names()


@pytest.mark.parametrize(
    "make",
    [
        lambda: cartoon.cartoon_generator(32, 2, latent=4),
        lambda: cartoon.cartoon_discriminator(32, 2),
        lambda: cartoon.cartoon_generator(32, 2, latent=4, labels=3),
        lambda: cartoon.cartoon_discriminator(32, 2, labels=3, batch_norm=True),
    ],
)
def test_saves_and_loads_in_safe_mode(make, tmp_path):
    model = make()
    shapes = model.input_shape if isinstance(model.input_shape, list) else [model.input_shape]
    x = [jax.random.normal(jax.random.key(0), (2, *shape[1:])) for shape in shapes]
    x = x if len(x) > 1 else x[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(loaded(x), model(x), rtol=0, atol=1e-6)
