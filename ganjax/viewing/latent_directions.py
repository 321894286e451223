"""A generator opened at its smallest picture: there features are read, and changed."""

from __future__ import annotations

from typing import Any, Protocol

import jax
import jax.numpy as jnp
import keras
import numpy as np

from ganjax import stateless

DIRECTIONS = 8
SAMPLES = 2_000  # latents by which features are known
SEED = 0  # of these
BATCH = 256  # latents decoded at once
THUMBNAIL = 8  # pixels a side are enough of a picture to compare pictures by


class Generator(Protocol):
    """What is needed of a run's generator (`ganjax.runs.saved_models.SavedGenerator`)."""

    model: keras.Model
    condition: Any  # what labels mean (`encode`, `usual`), None where it takes none

    def draw_latents(self, seed: int, n: int) -> np.ndarray:
        """`(n, *latent_shape)` float32."""
        ...

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Pictures `(n, height, width, channels)` float32 of latents `(n, *latent_shape)`."""
        ...


class OpenedGenerator:
    """A generator of pictures, with its principal latent directions, whose pictures can be truncated.

    It is opened at its smallest picture: at what the first layer that enlarges a picture takes in. All that
    the picture will show has been laid out there, and nothing drawn yet. On the trained cartoon the features
    there give directions of the same effect as its whole pictures do.

    Truncation pulls these features towards their mean, an average face (StyleGAN's truncation, Karras et al.
    2019, appendix B, https://arxiv.org/abs/1812.04948, with the smallest picture for its w). It does not make
    latents small, as BigGAN does (Brock et al. 2019, section 3.1, https://arxiv.org/abs/1809.11096): where
    the cartoon's latents are small, its pictures are not average but blank.

    Where there is no such layer, or the picture does not depend on the latent through it alone, whole
    pictures are the features that directions are found by, and it is latents that truncation pulls.

    A conditional generator is asked for the most usual labels, as `ganjax sample` asks.

    Attributes:
        directions: float32 `(k, latent size)`, as `principal_directions` gives them.
    """

    def __init__(self, generator: Generator) -> None:
        self._generator, self._parts = generator, cut(generator.model)
        latents = generator.draw_latents(SEED, SAMPLES)
        condition = generator.condition
        self._label = jnp.asarray(condition.encode(condition.usual(1))) if condition else None
        features = latents if self._parts is None else np.asarray(self._before(latents))
        self._mean = features.mean(axis=0, keepdims=True)
        judged = _thumbnails(generator.decode(latents)) if self._parts is None else features
        self.directions = principal_directions(latents, judged, DIRECTIONS)
        self._forward = jax.jit(self._truncated)

    def decode(self, latents: np.ndarray, psi: float | np.ndarray = 1.0) -> np.ndarray:
        """Pictures `(n, height, width, channels)` float32 of latents `(n, *latent_shape)`.

        Args:
            latents: float32.
            psi: truncation in [0, 1], one for all or `(n,)`: 1 is the face itself, 0 the average one.
        """
        n = len(latents)
        psi = np.broadcast_to(np.asarray(psi, np.float32), n)
        if self._parts is None:
            return self._generator.decode(np.asarray(_pulled(latents, psi, self._mean)))
        size = min(n, BATCH)
        places = np.minimum(np.arange(n + -n % size), n - 1).reshape(-1, size)  # of one size: compiled once
        parts = [np.asarray(self._forward(latents[rows], psi[rows]), np.float32) for rows in places]
        return np.concatenate(parts)[:n]

    def _truncated(self, latents: jax.Array, psi: jax.Array) -> jax.Array:
        assert self._parts is not None
        return _call(self._parts[1], _pulled(self._before(latents), psi, self._mean))

    def _before(self, latents: Any) -> jax.Array:
        assert self._parts is not None
        labels = [] if self._label is None else [jnp.repeat(self._label, len(latents), axis=0)]
        return _call(self._parts[0], [jnp.asarray(latents), *labels])


def cut(model: keras.Model) -> tuple[keras.Model, keras.Model] | None:
    """`model` in two, from latents to its smallest picture and on from there; None where that is impossible.

    The smallest picture, of more than one pixel, is what the first layer that enlarges one takes in.
    """
    for layer in model.layers:
        try:
            small, large = layer.input, layer.output
        except (AttributeError, ValueError):  # it is called more than once
            continue
        if _is_picture(small) and _is_picture(large) and small.shape[1] < large.shape[1]:
            try:
                return keras.Model(model.inputs, small), keras.Model(small, model.outputs[0])
            except ValueError:  # there are ways around it
                return None
    return None


def _is_picture(tensor: Any) -> bool:
    return isinstance(tensor, keras.KerasTensor) and len(tensor.shape) == 4 and min(tensor.shape[1:3]) > 1


def _call(model: keras.Model, x: Any) -> jax.Array:
    with stateless.standard_promotion():
        return model(x, training=False)


def _pulled(features: Any, psi: Any, mean: np.ndarray) -> Any:
    """(1 - psi) mean + psi features: with psi = 1, to the bit what they were."""
    psi = psi.reshape(-1, *[1] * (features.ndim - 1))
    return (1 - psi) * mean + psi * features


def _thumbnails(images: np.ndarray) -> np.ndarray:
    """Means over blocks of pixels; rows and columns that do not fill a block are left out."""
    n, height, width, channels = images.shape
    high, wide = max(1, height // THUMBNAIL), max(1, width // THUMBNAIL)
    whole = images[:, : height // high * high, : width // wide * wide]
    return whole.reshape(n, height // high, high, width // wide, wide, channels).mean(axis=(2, 4))


def principal_directions(latents: np.ndarray, features: np.ndarray, count: int) -> np.ndarray:
    """Orthonormal directions along which latents explain most of the variance of `features`.

    The left singular vectors of B, the least-squares solution of z B = f, with z and f the centred latents
    and features: no other `count` directions u leave less of f - (z u) V unexplained, whatever V.

    Args:
        latents: `(n, *latent_shape)`, drawn independently with equal variance in every coordinate.
        features: `(n, ...)`, of the same samples.
        count: how many directions.

    Returns:
        float32 `(min(count, latent size), latent size)`, in falling order of what they explain, each with its
        largest coordinate positive.
    """
    solution = np.linalg.lstsq(_centred(latents), _centred(features))[0]
    _, vectors = np.linalg.eigh(solution @ solution.T)  # in rising order
    directions = vectors.T[::-1][:count]
    largest = directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)]
    return (directions * np.where(largest < 0, -1, 1)[:, None]).astype(np.float32)


def _centred(values: np.ndarray) -> np.ndarray:
    flat = np.asarray(values, np.float64).reshape(len(values), -1)
    return flat - flat.mean(axis=0)
