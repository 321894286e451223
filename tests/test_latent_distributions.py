"""ganjax/latents.py (tests/viewing/test_latents.py is about directions in latent spaces)."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.latents import NormalAndSigns


@given(normals=st.integers(0, 4), signs=st.integers(0, 9), seed=st.integers(0, 2**32 - 1))
def test_the_last_coordinates_are_signs_and_the_others_are_not(normals, signs, seed):
    z = np.asarray(NormalAndSigns(signs)(jax.random.key(seed), (5, normals + signs)))
    assert z.shape == (5, normals + signs)
    assert z.dtype == np.float32
    assert np.all(np.abs(z[:, normals:]) == 1)
    assert not np.any(np.abs(z[:, :normals]) == 1)


def test_coordinates_are_independent_and_of_unit_variance():
    z = np.asarray(NormalAndSigns(3)(jax.random.key(0), (40_000, 5)))
    # A covariance of 40 000 draws is known to 0.005 (a variance to 0.007); five of those.
    np.testing.assert_allclose(np.cov(z.T), np.eye(5), rtol=0, atol=0.035)
    np.testing.assert_allclose(z.mean(0), 0, atol=0.025)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="cannot have -1 signs"):
        NormalAndSigns(-1)
    with pytest.raises(ValueError, match="of 2 coordinates cannot hold 3 signs"):
        NormalAndSigns(3)(jax.random.key(0), (4, 2))
