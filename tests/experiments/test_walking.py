"""Walks stay on the sphere, begin and end where they should, and are even."""

import numpy as np
import pytest

from ganjax.experiments.walking import walks


@pytest.mark.parametrize("shape", [(100,), (1, 1, 5)])
def test_a_walk_goes_evenly_along_the_sphere(shape):
    rng = np.random.default_rng(0)
    ends = rng.normal(size=(2, 3, *shape)).astype(np.float32)
    ends /= np.linalg.norm(ends.reshape(2, 3, -1), axis=2).reshape(2, 3, *[1] * len(shape))
    walk = walks(*ends, 5)
    assert (walk.shape, walk.dtype) == ((3, 5, *shape), np.float32)
    np.testing.assert_allclose(walk[:, [0, -1]], ends.swapaxes(0, 1), atol=1e-6)
    flat = walk.reshape(3, 5, -1)
    np.testing.assert_allclose(np.linalg.norm(flat, axis=2), 1, atol=1e-5)
    cosines = np.sum(flat[:, 1:] * flat[:, :-1], axis=2)
    np.testing.assert_allclose(cosines, cosines[:, :1].repeat(4, 1), atol=1e-5)


@pytest.mark.parametrize("end", [1.0, 2.0, -1.0])
def test_a_walk_between_parallel_latents_is_finite(end):
    start = np.ones((1, 4), np.float32)
    walk = walks(start, end * start, 5)
    assert np.isfinite(walk).all()
    np.testing.assert_allclose(walk[0, [0, -1]], np.concatenate([start, end * start]), rtol=1e-3)
