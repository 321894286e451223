"""The sliced Wasserstein distance against its definition, and on pictures changed in known ways."""

import importlib

import jax
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ganjax.metrics import sliced_wasserstein, sliced_wasserstein_1

# As an attribute of the package, this name is the function.
module = importlib.import_module("ganjax.metrics.sliced_wasserstein")
KEY = jax.random.key(0)
FEW = {"patches": 16, "projections": 32}


def pictures(seed, n=64, size=32):
    """Overlapping discs of one colour each, so that there are edges and areas. Floats in [-1, 1]."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    images = np.empty((n, size, size, 3), np.float32)
    for image in images:
        image[:] = random.uniform(-1, 1, 3)
        for cy, cx, radius in random.random((8, 3)):
            image[np.hypot(y - cy, x - cx) < 0.3 * radius] = random.uniform(-1, 1, 3)
    return images


def distance(real, fake, key=KEY, **options):
    return sliced_wasserstein(real, fake, key=key, **{**FEW, **options})


def one_band(size):
    """The paper's pyramid, written with SciPy's convolution."""
    image = pictures(0, n=1, size=size)
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256

    def blur(x):
        return scipy.ndimage.convolve(x, kernel[None, :, :, None], mode="mirror")

    small = blur(image.astype(np.float64))[:, ::2, ::2]
    spread = np.zeros(image.shape)
    spread[:, ::2, ::2] = small
    return image, image - blur(4 * spread), small


def test_the_pyramid_is_that_of_the_paper():
    image, band, small = one_band(32)
    np.testing.assert_allclose(module._band(image, 0, last=False), band, atol=1e-6)
    np.testing.assert_allclose(module._band(image, 1, last=True), small, atol=1e-6)
    np.testing.assert_array_equal(module._band(image, 0, last=True), image)


def test_along_one_direction_the_distance_is_that_of_sorted_values():
    """Pictures of 16 pixels have a single level. Written out for one patch and one direction."""
    real, fake = pictures(0, size=16), pictures(1, size=16) ** 3
    found = distance(real, fake, patches=1, projections=1)[16]
    random = np.random.default_rng(np.asarray(jax.random.key_data(KEY)))
    (y, x), direction = random.integers(10, size=(2, 64, 1)), random.standard_normal((3, 7, 7), np.float32)
    sorted_values = []
    for images in (real, fake):
        corners = zip(images, y[:, 0], x[:, 0], strict=True)
        patches = np.array([each[i : i + 7, j : j + 7] for each, i, j in corners])
        patches = (patches - patches.mean(axis=(0, 1, 2))) / patches.std(axis=(0, 1, 2))
        along = np.einsum("nhwc,chw->n", patches, direction / np.linalg.norm(direction))
        sorted_values.append(np.sort(along))
    assert found == pytest.approx(np.abs(sorted_values[0] - sorted_values[1]).mean(), rel=1e-4)


@settings(max_examples=5)
@given(seed=st.integers(0, 2**31), size=st.sampled_from([16, 32, 64]))
def test_equal_sets_get_zero_and_the_distance_is_symmetric(seed, size):
    real, fake = pictures(seed, 8, size), pictures(seed + 1, 8, size) ** 3
    found = distance(real, fake)
    assert list(found) == [s for s in (64, 32, 16) if s <= size]  # the finest first
    assert distance(real, real.copy()) == dict.fromkeys(found, 0.0)
    assert distance(fake, real) == pytest.approx(found, rel=1e-5)
    assert min(found.values()) > 0


def test_bytes_and_floats_are_the_same_pictures():
    real, fake = (np.round((pictures(s) + 1) * 127.5).astype(np.uint8) for s in (0, 1))
    floats = [(each / 127.5 - 1).astype(np.float32) for each in (real, fake)]
    assert distance(real, fake) == pytest.approx(distance(*floats), rel=1e-4)
    assert distance(real, floats[1]) == pytest.approx(distance(*floats), rel=1e-4)


def test_the_distance_grows_with_noise():
    real, other = pictures(0), pictures(1)
    noise = np.random.default_rng(2).normal(size=real.shape).astype(np.float32)
    found = [distance(real, other + amount * noise)[32] for amount in (0, 0.05, 0.5)]
    assert found[1] > 1.2 * found[0]
    assert found[2] > 1.2 * found[1]


def test_missing_details_change_the_finest_level_only():
    real, other = pictures(0), pictures(1)
    floor = distance(real, other)
    found = distance(real, module._expand(module._reduce(other)))
    assert found[32] > 1.6 * floor[32]
    assert found[16] < 1.2 * floor[16]


def test_a_repeated_flat_picture_has_empty_levels():
    real = pictures(0)
    flat = np.full_like(real, 0.1)
    assert distance(flat, np.full_like(real, -0.7)) == {32: 0, 16: 0}  # a shift of colours has no effect
    found = distance(real, flat)
    assert min(found.values()) > 0.2  # half of the largest distance


def test_what_real_pictures_get_falls_with_n():
    few, many = (
        np.mean([distance(pictures(s, n), pictures(s + 50, n))[32] for s in range(4)]) for n in (8, 128)
    )
    assert many < few / 2


def test_the_key_decides_and_the_size_of_blocks_does_not_matter(monkeypatch):
    real, fake = pictures(0), pictures(1)
    whole = distance(real, fake)
    assert distance(real, fake) == whole
    assert distance(real, fake, key=jax.random.key(1)) != whole
    monkeypatch.setattr(module, "_PICTURES", 7)
    monkeypatch.setattr(module, "_DIRECTIONS", 5)
    assert distance(real, fake) == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((4, 24, 24, 3), "float32"),
        ((4, 8, 8, 3), "float32"),
        ((4, 32, 16, 3), "float32"),
        ((4, 32, 32, 1), "float32"),
        ((32, 32, 3), "uint8"),
        ((4, 32, 32, 3), "int32"),
    ],
)
def test_other_pictures_are_refused_in_one_line(shape, dtype):
    wanted = (
        r"^fake_images must be uint8 or floats of shape \(n, size, size, 3\), the size a power of two of at "
    )
    with pytest.raises(ValueError, match=wanted) as caught:
        distance(pictures(0, 4), np.zeros(shape, dtype))
    assert "\n" not in str(caught.value)


def test_other_wrong_arguments_are_refused_in_one_line():
    real = pictures(0, 4)
    with pytest.raises(
        ValueError, match=r"must have the same shape, got .* leave out some pictures of the larger set$"
    ):
        distance(real, real[:3])
    with pytest.raises(ValueError, match=r"^fake_images holds NaN or infinity"):
        distance(real, real * np.nan)
    with pytest.raises(ValueError, match=r"^real_images must hold at least 1 samples, got 0"):
        distance(real[:0], real[:0])
    for name in ("patches", "projections"):
        with pytest.raises(ValueError, match=f"^{name} must be a whole number in 1"):
            distance(real, real, **{name: 0})


@given(seed=st.integers(0, 2**32 - 1), n=st.sampled_from([1, 50]), dim=st.sampled_from([1, 2, 6]))
def test_points_agree_with_scipy_direction_by_direction(seed, n, dim):
    random, key = np.random.default_rng(seed), jax.random.key(seed)
    x, y = random.normal(size=(2, n, dim)).astype(np.float32) * [[[1]], [[2]]]
    directions = module.generator(key).standard_normal((20, dim), np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    expected = np.mean([stats.wasserstein_distance(x @ u, y @ u) for u in directions])
    found = sliced_wasserstein_1(x, y, key=key, projections=20)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert sliced_wasserstein_1(y, x, key=key, projections=20) == pytest.approx(found, rel=1e-6)


def test_the_distance_of_shifted_points_is_the_mean_projection_of_the_shift(monkeypatch):
    """In the plane this is 2 / pi of it, also for a small shift far from zero."""
    x = 1000 + 0.01 * np.random.default_rng(0).normal(size=(200, 2))
    shifted = x + np.array([0.03, 0.04])
    found = sliced_wasserstein_1(x, shifted, key=KEY, projections=4000)
    assert found == pytest.approx(0.05 * 2 / np.pi, rel=0.02)
    assert sliced_wasserstein_1(x, x[::-1], key=KEY) == 0
    monkeypatch.setattr(module, "_NUMBERS", 1500)  # seven directions at a time
    assert sliced_wasserstein_1(x, shifted, key=KEY, projections=4000) == pytest.approx(found)


def test_wrong_points_are_refused_in_one_line():
    x = np.zeros((4, 2))
    with pytest.raises(
        ValueError, match=r"^x and y must hold the same number of points, got 4 and 3: leave out"
    ):
        sliced_wasserstein_1(x, x[:3], key=KEY)
    with pytest.raises(ValueError, match=r"^x and y must have the same number of features"):
        sliced_wasserstein_1(x, np.zeros((4, 3)), key=KEY)
    with pytest.raises(ValueError, match=r"^y holds NaN or infinity"):
        sliced_wasserstein_1(x, x * np.nan, key=KEY)
    with pytest.raises(ValueError, match=r"^projections must be a whole number in 1"):
        sliced_wasserstein_1(x, x, key=KEY, projections=0)
