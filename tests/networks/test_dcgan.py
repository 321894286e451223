"""The DCGANs have the stated shapes, parameter counts and names, and save as plain Keras."""

import jax
import keras
import numpy as np
import pytest

from ganjax.networks import dcgan
from ganjax.stateless import without_values

# Keras adds a bias by rank promotion, and hands its variables to NumPy without the copy keyword.
pytestmark = [
    pytest.mark.usefixtures("keras_promotion"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def original():
    return without_values(dcgan.original_generator), without_values(dcgan.original_discriminator)


def test_the_original_networks_have_the_notebooks_shapes_and_parameter_counts(original):
    generator, discriminator = original
    assert generator.input_shape == (None, 1, 1, 100)
    assert generator.output_shape == discriminator.input_shape == (None, 64, 64, 3)
    assert discriminator.output_shape == (None, 2, 2, 1)
    assert generator.count_params() == 3_578_624
    assert discriminator.count_params() == 2_767_360


def test_the_original_networks_have_usual_batch_norm_and_end_in_tanh_and_logits(original):
    for model in original:
        norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        assert norms
        assert all(n.momentum == 0.9 and n.epsilon == 1e-5 and n.center and n.scale for n in norms)
    generator, discriminator = original
    assert generator.layers[-1].activation is keras.activations.tanh
    assert discriminator.layers[-1].activation is keras.activations.linear


@pytest.mark.parametrize("size", [32, 64, 128])
def test_sizes_and_widths(size):
    width = 3
    generator = without_values(lambda: dcgan.dcgan_generator(size, width, latent=5))
    discriminator = without_values(lambda: dcgan.dcgan_discriminator(size, width))
    assert generator.input_shape == (None, 5)
    assert generator.output_shape == discriminator.input_shape == (None, size, size, 3)
    assert discriminator.output_shape == (None, 1)
    half = generator.get_layer(f"relu_{size // 2}").output.shape
    assert half == (None, size // 2, size // 2, width)
    assert generator.get_layer("relu_4").output.shape[-1] == width * size // 8
    assert discriminator.get_layer("leaky_relu_4").output.shape[-1] == width * size // 8


@pytest.mark.parametrize(
    ("normalization", "kind"),
    [
        ("spectral", keras.layers.SpectralNormalization),
        ("batch", keras.layers.BatchNormalization),
        ("layer", keras.layers.GroupNormalization),
        (None, type(None)),
    ],
)
def test_normalizations(normalization, kind):
    model = dcgan.dcgan_discriminator(32, 2, normalization)
    kinds = (
        keras.layers.SpectralNormalization,
        keras.layers.BatchNormalization,
        keras.layers.GroupNormalization,
    )
    found = [layer for layer in model.layers if isinstance(layer, kinds)]
    assert all(isinstance(layer, kind) for layer in found)
    # Spectral: three convolutions and the logit. The others: all convolutions except the first.
    assert len(found) == {"spectral": 4, None: 0}.get(normalization, 2)


def test_layer_normalization_treats_each_image_separately():
    model = dcgan.dcgan_discriminator(32, 2, "layer")
    images = np.random.default_rng(0).uniform(-1, 1, (3, 32, 32, 3)).astype("float32")
    together = model(images, training=True)
    alone = np.concatenate([model(image[None], training=True) for image in images])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("make", [dcgan.dcgan_generator, dcgan.dcgan_discriminator])
def test_wrong_arguments_are_named(make):
    with pytest.raises(ValueError, match="32, 64 or 128 pixels, not 48"):
        make(48, 8)
    with pytest.raises(ValueError, match="width must be at least 1, not 0"):
        make(32, 0)


def test_unknown_normalization_is_named():
    with pytest.raises(ValueError, match="not 'instance'"):
        dcgan.dcgan_discriminator(32, 8, "instance")


def test_names_do_not_depend_on_what_was_built_before():
    def names():
        models = [
            dcgan.dcgan_generator(32, 1, latent=2),
            dcgan.dcgan_discriminator(32, 1),
            dcgan.dcgan_discriminator(32, 1, "layer"),
        ]
        # Keras numbers the names that it chooses, so a second build would differ if it chose any.
        return [
            [model.name, *(layer.name for layer in model.layers), *(v.path for v in model.variables)]
            for model in models
        ]

    assert names() == names()


@pytest.mark.parametrize(
    "make",
    [
        lambda: dcgan.dcgan_generator(32, 2, latent=4),
        lambda: dcgan.dcgan_discriminator(32, 2, "spectral"),
        lambda: dcgan.dcgan_discriminator(32, 2, "layer"),
    ],
)
def test_saves_and_loads_in_safe_mode(make, tmp_path):
    model = make()
    x = jax.random.normal(jax.random.key(0), (2, *model.input_shape[1:]))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(loaded(x), model(x), rtol=0, atol=1e-6)
