"""Toy data: distributions in one, two or a few dimensions.

Every function here is pure: ``sample(key, n)`` gives ``n`` independent points, float32. ``n`` is static, keys
may be typed or legacy keys, and everything can be jitted, and vmapped over keys.
"""

from __future__ import annotations

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

RING_MODES = 8
RING_SIGMA = 0.01
GRID_SIDE = 5
GRID_SIGMA = 0.05
SPIRAL_SIGMA = 0.1
SWISSROLL_SIGMA = 0.25 / 7.5
MOONS_SIGMA = 0.05


def gaussian(key: Array, n: int) -> Array:
    """The original system's one-dimensional data: N(10, 1), shape (n, 1)."""
    return 10 + jax.random.normal(key, (n, 1), jnp.float32)


@dataclasses.dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of isotropic Gaussians with the same sigma: `mixture(key, n)` gives n points, float32 (n, d).

    Attributes:
        centers: (K, d) float32.
        sigma: standard deviation of each Gaussian along every axis.
        weights: (K,) float32, the probability of each Gaussian; they sum to one.
    """

    centers: np.ndarray
    sigma: float
    weights: np.ndarray

    def __call__(self, key: Array, n: int) -> Array:
        key_mode, key_noise = jax.random.split(key)
        modes, dim = self.centers.shape
        if np.ptp(self.weights) == 0:
            mode = jax.random.randint(key_mode, (n,), 0, modes)
        else:
            mode = jax.random.choice(key_mode, modes, (n,), p=jnp.asarray(self.weights))
        return jnp.asarray(self.centers)[mode] + _noise(key_noise, n, self.sigma, dim)


def ring_centers() -> np.ndarray:
    """Centres of the ring's 8 Gaussians on the unit circle, (8, 2) float32."""
    # linspace(0, 2 pi, 8) would be wrong: its last centre is the first one again, so there would be seven.
    angles = np.arange(RING_MODES, dtype=np.float32) * np.float32(2 * np.pi / RING_MODES)
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def grid_centers() -> np.ndarray:
    """Centres of the grid's 25 Gaussians at {-4, -2, 0, 2, 4}^2, (25, 2) float32."""
    return _lattice(GRID_SIDE, 2)


def _lattice(side: int, dim: int) -> np.ndarray:
    """A cubic lattice of `side` points along every axis, 2 apart, centred at 0: (side^dim, dim) float32."""
    ticks = 2 * np.arange(side, dtype=np.float32) - (side - 1)
    return np.array(list(itertools.product(ticks, repeat=dim)), np.float32)


def _thousand_centers() -> np.ndarray:
    # The first vectors of the cosine transform (DCT-II), scaled, are orthonormal: distances do not change,
    # and none of the ten axes is an axis of the lattice.
    wave, place = np.arange(1, 4)[:, None], np.arange(10)[None, :] + 0.5
    return (_lattice(10, 3) @ (np.sqrt(0.2) * np.cos(np.pi * wave * place / 10))).astype(np.float32)


def _equal(centers: np.ndarray, sigma: float) -> Mixture:
    return Mixture(centers, sigma, np.full(len(centers), 1 / len(centers), np.float32))


def _rising(least_to_most: float) -> np.ndarray:
    weights = least_to_most ** np.linspace(0, 1, RING_MODES)
    return (weights / weights.sum()).astype(np.float32)


MIXTURES = {
    "ring": _equal(ring_centers(), RING_SIGMA),
    "grid": _equal(grid_centers(), GRID_SIGMA),
    "grid-100": _equal(_lattice(10, 2), GRID_SIGMA),
    "cube": _equal(_lattice(3, 3), GRID_SIGMA),
    "unbalanced-ring": Mixture(ring_centers(), RING_SIGMA, _rising(20.0)),
    "thousand": _equal(_thousand_centers(), GRID_SIGMA),
}
"""Mixtures by name. Ring and grid are PacGAN's (Lin et al. 2018, arXiv:1712.04086, section 4.1).

The others are variants: `grid-100` is 10 x 10, `cube` is {-2, 0, 2}^3, and `thousand` is a 10 x 10 x 10
lattice, rotated in ten dimensions, all with nearest centres 2 apart and sigma 0.05 as in the grid. The
weights of `unbalanced-ring` rise by a constant factor from one mode to the next, from 1.8 % to 36 %, 1 to 20.
"""


def ring(key: Array, n: int) -> Array:
    """Eight Gaussians of sigma 0.01 on the unit circle, equally likely, (n, 2).

    As in PacGAN (Lin et al. 2018, arXiv:1712.04086, section 4.1).
    """
    return MIXTURES["ring"](key, n)


def grid(key: Array, n: int) -> Array:
    """Twenty-five Gaussians of sigma 0.05 on a 5 x 5 grid, equally likely, (n, 2).

    As in PacGAN (Lin et al. 2018, arXiv:1712.04086, section 4.1).
    """
    return MIXTURES["grid"](key, n)


def spiral(key: Array, n: int) -> Array:
    """Two interleaved spiral arms of one and a half turns, (n, 2), within about ±3.4.

    r = angle / 3 with angle = 3 pi sqrt(u), u uniform, so the density along the arm is constant. Sigma 0.1.
    """
    key_angle, key_arm, key_noise = jax.random.split(key, 3)
    angle = 3 * jnp.pi * jnp.sqrt(jax.random.uniform(key_angle, (n,), jnp.float32))
    arm = jnp.where(jax.random.bernoulli(key_arm, shape=(n,)), 1.0, -1.0).astype(jnp.float32)
    radius = arm * angle / 3
    points = jnp.stack([radius * jnp.cos(angle), radius * jnp.sin(angle)], axis=-1)
    return points + _noise(key_noise, n, SPIRAL_SIGMA)


def swissroll(key: Array, n: int) -> Array:
    """A spiral whose density decreases outwards, (n, 2), within about ±2.

    angle uniform in [1.5 pi, 4.5 pi], r = angle / 7.5, sigma 1/30: the scaled swiss roll of
    WGAN-GP's toy experiments (Gulrajani et al. 2017, arXiv:1704.00028).
    """
    key_angle, key_noise = jax.random.split(key)
    angle = jax.random.uniform(key_angle, (n,), jnp.float32, minval=1.5 * jnp.pi, maxval=4.5 * jnp.pi)
    points = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1) * angle[:, None] / 7.5
    return points + _noise(key_noise, n, SWISSROLL_SIGMA)


def moons(key: Array, n: int) -> Array:
    """Two interlocking half circles of radius 1 and sigma 0.05, (n, 2), within about ±2.2."""
    key_angle, key_moon, key_noise = jax.random.split(key, 3)
    angle = jnp.pi * jax.random.uniform(key_angle, (n,), jnp.float32)
    x, y = jnp.cos(angle), jnp.sin(angle)
    upper = jax.random.bernoulli(key_moon, shape=(n, 1))
    points = jnp.where(upper, jnp.stack([x, y], -1), jnp.stack([1 - x, 0.5 - y], -1))
    return points + _noise(key_noise, n, MOONS_SIGMA)


def checkerboard(key: Array, n: int) -> Array:
    """Uniform on the eight dark squares of a 4 x 4 board on [-4, 4]^2, (n, 2).

    A point (x, y) is on a dark square when floor(x / 2) + floor(y / 2) is even.
    """
    key_square, key_place = jax.random.split(key)
    square = jax.random.randint(key_square, (n,), 0, 8)
    column, pair = square % 4, square // 4
    corner = jnp.stack([column, 2 * pair + column % 2], axis=-1).astype(jnp.float32) - 2
    return 2 * (corner + jax.random.uniform(key_place, (n, 2), jnp.float32))


def _noise(key: Array, n: int, sigma: float, dim: int = 2) -> Array:
    return sigma * jax.random.normal(key, (n, dim), jnp.float32)
