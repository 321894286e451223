"""Dense networks compute what their docstrings say, and save as plain Keras files."""

import subprocess
import sys

import jax
import keras
import numpy as np
import pytest

from ganjax.networks import dense

# Keras adds a bias by rank promotion, and hands its variables to NumPy without the copy keyword.
pytestmark = [
    pytest.mark.usefixtures("keras_promotion"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.mark.parametrize("make", [dense.linear_generator, dense.linear_discriminator])
def test_linear_pair_is_one_dense_layer(make):
    model = make()
    assert model.input_shape == model.output_shape == (None, 1)
    assert model.count_params() == 2
    model.set_weights([np.array([[3.0]]), np.array([-1.0])])
    np.testing.assert_allclose(model(np.array([[2.0], [0.0]])), [[5.0], [-1.0]])


def test_mlp_is_the_product_of_its_layers():
    model = dense.mlp(2, [4, 3], 1, activation="tanh")
    x = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
    expected = x
    for kernel, bias, end in zip(
        model.weights[::2], model.weights[1::2], (np.tanh, np.tanh, np.array), strict=True
    ):
        expected = end(expected @ np.array(kernel.value) + np.array(bias.value)[None])
    np.testing.assert_allclose(model(x), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("skip", [False, True])
def test_mlp_without_hidden_layers_is_linear(skip):
    assert dense.mlp(3, [], 2, skip=skip).count_params() == 3 * 2 + 2


def test_a_skip_adds_a_linear_map_of_the_scaled_input():
    model = dense.mlp(2, [4], 3, activation="tanh", skip=True, input_scale=4.0, output_scale=3.0)
    hidden, bias, output, end = (np.array(v.value) for v in model.weights)
    assert output.shape == (2 + 4, 3)
    x = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
    expected = x / 4 @ output[:2] + np.tanh(x / 4 @ hidden + bias[None]) @ output[2:] + end[None]
    np.testing.assert_allclose(model(x), 3 * expected, rtol=0, atol=1e-6)


def test_a_skip_includes_fourier_features():
    model = dense.mlp(2, [8], 1, fourier_features=16, skip=True)
    assert model.get_layer("output").kernel.shape == (2 + 2 * 16 + 8, 1)


def test_fourier_features_are_the_input_and_sines_of_frozen_frequencies():
    model = dense.mlp(2, [8], 1, fourier_features=500, fourier_scale=2.0)
    frequencies = model.get_layer("frequencies").kernel
    assert frequencies.shape == (2, 500)
    assert not frequencies.trainable
    assert [v.path for v in model.non_trainable_variables] == ["frequencies/kernel"]
    # The standard deviation of 1000 draws is known to 2.2 %; four of those.
    assert abs(np.std(frequencies.value) / 2.0 - 1) < 0.09
    x = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
    features = keras.Model(model.input, model.get_layer("fourier_features").output)(x)
    phases = x @ np.array(frequencies.value)
    np.testing.assert_allclose(
        features, np.concatenate([x, np.sin(phases), np.cos(phases)], 1), rtol=0, atol=1e-5
    )


def test_several_scales_divide_the_features():
    model = dense.mlp(2, [8], 1, fourier_features=600, fourier_scale=[0.5, 8.0])
    for index, scale in enumerate([0.5, 8.0], start=1):
        frequencies = model.get_layer(f"frequencies_{index}").kernel
        assert frequencies.shape == (2, 300)
        # The standard deviation of 600 draws is known to 2.9 %; four of those.
        assert abs(np.std(frequencies.value) / scale - 1) < 0.12
    assert model.get_layer("fourier_features").output.shape == (None, 2 + 4 * 300)


def test_input_and_output_scales():
    model = dense.mlp(2, [], 2, input_scale=4.0, output_scale=3.0)
    kernel, bias = (np.array(v.value) for v in model.weights)
    x = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
    np.testing.assert_allclose(model(x), 3 * (x / 4 @ kernel + bias[None]), rtol=0, atol=1e-6)


LOAD = """
import sys, keras, numpy as np
model = keras.models.load_model(sys.argv[1], safe_mode=True)
assert "ganjax" not in sys.modules
np.save(sys.argv[2], model(np.load(sys.argv[2])))
"""


def test_fourier_features_load_in_safe_mode_without_ganjax(tmp_path):
    model = dense.mlp(2, [4], 1, fourier_features=3)
    x = np.array(jax.random.normal(jax.random.key(0), (5, 2)))
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "array.npy", x)
    subprocess.run(
        [sys.executable, "-c", LOAD, tmp_path / "model.keras", tmp_path / "array.npy"],
        check=True,
        cwd=tmp_path,
    )
    np.testing.assert_allclose(np.load(tmp_path / "array.npy"), model(x), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"input_dim": 0}, "sizes of at least 1"),
        ({"widths": [4, 0]}, "sizes of at least 1"),
        ({"fourier_features": -1}, "fourier_features >= 0"),
        ({"fourier_features": 2, "fourier_scale": 0.0}, "positive fourier_scale"),
        ({"fourier_features": 2, "fourier_scale": float("nan")}, "positive fourier_scale"),
        ({"fourier_features": 2, "fourier_scale": []}, "positive fourier_scale"),
        ({"fourier_features": 3, "fourier_scale": [1.0, 2.0]}, "divide fourier_features=3 evenly"),
        ({"input_scale": 0.0}, "positive scales"),
        ({"output_scale": float("inf")}, "positive scales"),
    ],
)
def test_wrong_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        dense.mlp(**{"input_dim": 2, "widths": [4], "output_dim": 1, **arguments})
