"""Fixtures for the tests of networks."""

import jax
import pytest


@pytest.fixture
def keras_promotion(_strict_promotion):
    """Keras layers promote ranks and dtypes themselves; the strict rules are for ganjax's own code."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
