"""A port's step is compiled once."""

import jax
import pytest

import ganjax


@pytest.fixture
def compiled_once():
    step = jax.jit(ganjax.train_step, static_argnums=0)
    before = step._cache_size()
    yield
    assert step._cache_size() == before + 1
