"""Four steps of one GAN, taken once for all tests of the step."""

import jax
import pytest
from by_hand import BATCH
from step_gan import everything, step

import ganjax


@pytest.fixture(scope="session")
def gan():
    return ganjax.GAN(*everything(), penalties=(ganjax.R1(0.5),))


@pytest.fixture(scope="session")
def state(gan):
    return ganjax.init_state(gan, jax.random.key(5))


@pytest.fixture(scope="session")
def batches(gan):
    return 1 + jax.random.normal(jax.random.key(6), (4, BATCH, *gan.sample_shape))


@pytest.fixture(scope="session")
def played(gan, state, batches):
    """The state after four single steps, and their metrics."""
    history = []
    for real in batches:
        state, metrics = step(gan, state, real)
        history.append(metrics)
    return state, history
