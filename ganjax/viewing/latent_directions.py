"""Principal latent directions of a generator, and its pictures with the truncation trick.

Both work on features inside the generator: `split` cuts its model in two where the features are smallest,
`principal_directions` finds the latent directions that change them most, and `TruncatedGenerator` pulls them
towards their mean.
"""

from __future__ import annotations

from typing import Any, Protocol

import jax
import jax.numpy as jnp
import keras
import numpy as np

from ganjax import stateless

DIRECTIONS = 8
SAMPLES = 2_000  # latents from which the features' mean and the directions are computed
SEED = 0  # of these latents
BATCH = 256  # latents decoded at once
THUMBNAIL = 8  # height and width, in pixels, of the pictures from which directions are computed


class Generator(Protocol):
    """The part of a run's generator that is needed here (`ganjax.runs.saved_models.SavedGenerator`)."""

    model: keras.Model
    condition: Any  # the meaning of labels (`encode`, `usual`); None for an unconditional generator

    def draw_latents(self, seed: int, n: int) -> np.ndarray:
        """`(n, *latent_shape)` float32."""
        ...

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Pictures `(n, height, width, channels)` float32 of latents `(n, *latent_shape)`."""
        ...


class TruncatedGenerator:
    """A generator of pictures with the truncation trick, and its principal latent directions.

    Truncation pulls features towards their mean, which gives an average face. It is that of StyleGAN (Karras
    et al. 2019, appendix B, https://arxiv.org/abs/1812.04948); instead of StyleGAN's w, the features are the
    input of the first layer that enlarges pictures (see `split`). They determine the picture, and on the
    trained cartoon generator the directions computed from them have the same effects as those computed from
    whole pictures. Latents are not made smaller, as BigGAN does (Brock et al. 2019, section 3.1,
    https://arxiv.org/abs/1809.11096): small latents give blank pictures here, not average ones.

    If the model cannot be split, directions are computed from the pictures, and truncation pulls the latents.

    A conditional generator gets the most frequent label, as in `ganjax sample`.

    Attributes:
        directions: float32 `(k, latent size)`, see `principal_directions`.
    """

    def __init__(self, generator: Generator) -> None:
        self._generator, self._parts = generator, split(generator.model)
        latents = generator.draw_latents(SEED, SAMPLES)
        condition = generator.condition
        self._label = jnp.asarray(condition.encode(condition.usual(1))) if condition else None
        if self._parts is None:
            truncated, features = latents, _thumbnails(generator.decode(latents))
        else:
            truncated = features = np.asarray(self._features(latents))
        self._mean = truncated.mean(axis=0, keepdims=True)
        self.directions = principal_directions(latents, features, DIRECTIONS)
        self._decode_batch = jax.jit(self._decode_truncated)

    def decode(self, latents: np.ndarray, psi: float | np.ndarray = 1.0) -> np.ndarray:
        """Pictures `(n, height, width, channels)` float32 of latents `(n, *latent_shape)`.

        Args:
            latents: float32.
            psi: truncation in [0, 1], one for all or `(n,)`: 1 changes nothing, 0 gives the average face.
        """
        n = len(latents)
        psi = np.broadcast_to(np.asarray(psi, np.float32), n)
        if self._parts is None:
            return self._generator.decode(np.asarray(_truncated(latents, psi, self._mean)))
        size = min(n, BATCH)
        # Batches of one size, so that only one program is compiled: the last one repeats the last latent.
        batches = np.minimum(np.arange(n + -n % size), n - 1).reshape(-1, size)
        parts = [np.asarray(self._decode_batch(latents[rows], psi[rows]), np.float32) for rows in batches]
        return np.concatenate(parts)[:n]

    def _decode_truncated(self, latents: jax.Array, psi: jax.Array) -> jax.Array:
        assert self._parts is not None
        return _call(self._parts[1], _truncated(self._features(latents), psi, self._mean))

    def _features(self, latents: Any) -> jax.Array:
        assert self._parts is not None
        labels = [] if self._label is None else [jnp.repeat(self._label, len(latents), axis=0)]
        return _call(self._parts[0], [jnp.asarray(latents), *labels])


def split(model: keras.Model) -> tuple[keras.Model, keras.Model] | None:
    """Split a generator where its features are smallest: at the input of the first layer that enlarges them.

    Returns:
        A model from latents (and labels) to these features, `(batch, height, width, channels)` with height
        and width above 1, and one from there to pictures. None if there is no such layer, or if the pictures
        also depend on the latents in another way.
    """
    for layer in model.layers:
        try:
            small, large = layer.input, layer.output
        except (AttributeError, ValueError):  # the layer is called more than once
            continue
        if _is_picture(small) and _is_picture(large) and small.shape[1] < large.shape[1]:
            try:
                return keras.Model(model.inputs, small), keras.Model(small, model.outputs[0])
            except ValueError:  # there is another path from the latents to the pictures
                return None
    return None


def principal_directions(latents: np.ndarray, features: np.ndarray, count: int) -> np.ndarray:
    """Orthonormal directions along which latents explain most of the variance of `features`.

    The left singular vectors of B, the least-squares solution of z B = f, where z and f are the centred
    latents and features: no other `count` directions u leave less of f - (z u) V unexplained, for any V.

    Args:
        latents: `(n, *latent_shape)`, drawn independently with equal variance in every coordinate.
        features: `(n, ...)`, of the same samples.
        count: number of directions.

    Returns:
        float32 `(min(count, latent size), latent size)`, those that explain most first, each with its largest
        coordinate positive.
    """
    solution = np.linalg.lstsq(_centred(latents), _centred(features))[0]
    _, vectors = np.linalg.eigh(solution @ solution.T)  # eigenvalues in rising order
    directions = vectors.T[::-1][:count]
    largest = directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)]
    return (directions * np.where(largest < 0, -1, 1)[:, None]).astype(np.float32)


def _is_picture(tensor: Any) -> bool:
    return isinstance(tensor, keras.KerasTensor) and len(tensor.shape) == 4 and min(tensor.shape[1:3]) > 1


def _call(model: keras.Model, x: Any) -> jax.Array:
    with stateless.standard_promotion():
        return model(x, training=False)


def _truncated(features: Any, psi: Any, mean: np.ndarray) -> Any:
    """(1 - psi) mean + psi features: with psi = 1 the features themselves, bit for bit."""
    psi = psi.reshape(-1, *[1] * (features.ndim - 1))
    return (1 - psi) * mean + psi * features


def _thumbnails(images: np.ndarray) -> np.ndarray:
    """Means over blocks of pixels; rows and columns that do not fill a block are left out."""
    n, height, width, channels = images.shape
    high, wide = max(1, height // THUMBNAIL), max(1, width // THUMBNAIL)
    whole = images[:, : height // high * high, : width // wide * wide]
    return whole.reshape(n, height // high, high, width // wide, wide, channels).mean(axis=(2, 4))


def _centred(values: np.ndarray) -> np.ndarray:
    flat = np.asarray(values, np.float64).reshape(len(values), -1)
    return flat - flat.mean(axis=0)
