"""Arguments of scores become NumPy arrays of one type, without needless copies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.metrics import inputs


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_features_of_any_floats_become_float64(dtype):
    given = np.arange(6).reshape(3, 2).astype(jnp.dtype(dtype))
    for each in (given, given.tolist() if dtype == "float64" else jnp.asarray(given.astype(np.float32))):
        found = inputs.as_features("features", each)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, np.arange(6).reshape(3, 2))


def test_bytes_stay_bytes_without_a_copy():
    pictures = np.zeros((4, 16, 16, 3), np.uint8)
    assert np.shares_memory(inputs.as_samples("samples", pictures), pictures)
    assert inputs.as_pictures("pictures", pictures, 16) is pictures
    assert inputs.as_samples("samples", pictures.astype(np.float16)).dtype == np.float32


def test_one_nan_is_found_wherever_it_is():
    for row in (0, 1023, 1024, 2999):
        features = np.zeros((3000, 2))
        features[row, 1] = np.nan
        with pytest.raises(ValueError, match=r"^features holds NaN or infinity"):
            inputs.as_features("features", features)


def test_labels_may_be_minus_one():
    labels = np.array([[0, -1], [2, 1]], np.int8)
    found = inputs.as_labels("labels", labels, np.array([3, 2]))
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, labels)


def test_a_key_decides_the_random_numbers():
    first, again, old, other = (
        inputs.generator(key).random(5)
        for key in (jax.random.key(3), jax.random.key(3), jax.random.PRNGKey(3), jax.random.key(4))
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, old)
    assert (first != other).all()
    with pytest.raises(TypeError, match="a PRNG key is needed"):
        inputs.generator(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one key is needed"):
        inputs.generator(jax.random.split(jax.random.key(0), 2))
