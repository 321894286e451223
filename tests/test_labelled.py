"""Batches that a GAN cannot use are refused in one line."""

import by_hand
import jax
import numpy as np
import pytest
from by_hand import make_gan

import ganjax


@pytest.fixture(scope="module")
def gan():
    return make_gan(by_hand.sequential, discriminator_updates=2)


@pytest.fixture(scope="module")
def state(gan):
    return ganjax.init_state(gan, jax.random.key(0))


@pytest.mark.parametrize(
    ("real", "kind", "message"),
    [
        (np.zeros((4, 3), np.float32), ValueError, r"shape \(batch, 2\), got \(4, 3\)"),
        (np.zeros((4,), np.float32), ValueError, r"shape \(batch, 2\), got \(4,\)"),
        (np.zeros((), np.float32), ValueError, r"shape \(batch, 2\), got \(\)"),
        (np.zeros((2, 2, 2), np.float32), ValueError, r"shape \(batch, 2\), got \(2, 2, 2\)"),
        (np.zeros((0, 2), np.float32), ValueError, "holds 0 samples"),
        (
            np.zeros((5, 2), np.float32),
            ValueError,
            "5 samples, which cannot be split into .*=2",
        ),
        (np.zeros((4, 2), np.uint8), TypeError, r"floating point.* got uint8: scale pixels to \[-1, 1\]"),
        (np.zeros((4, 2), bool), TypeError, "floating point.* got bool"),
        (np.zeros((4, 2), np.complex64), TypeError, "floating point.* got complex64"),
    ],
)
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_real(gan, state, real, kind, message, compiled):
    step = jax.jit(ganjax.train_step, static_argnums=0) if compiled else ganjax.train_step
    with pytest.raises(kind, match=message) as error:
        step(gan, state, real)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("real", [None, [[0.0, 0.0]], "real"])
def test_real_is_an_array(gan, state, real):
    with pytest.raises(TypeError, match=f"real must be an array, got {type(real).__name__}") as error:
        ganjax.train_step(gan, state, real)
    assert "\n" not in str(error.value)
