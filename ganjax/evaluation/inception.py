"""Features of Keras's InceptionV3, the closest to those of FID and KID that Keras offers.

FID and KID are defined with the weights that TensorFlow published in 2015 (Heusel et al. 2017, section 4,
https://arxiv.org/abs/1706.08500). No maintained library reads these without PyTorch, TensorFlow or pickle.
The weights that come with Keras were trained separately, and the last block of its network uses average
pooling where the other uses maximum pooling. So distances in its features have other values than FID and KID;
they are named after these weights and never called FID or KID.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import keras
import numpy as np

from ganjax import stateless
from ganjax.system.errors import UserError

SIZE = 299  # pixels, as in ImageNet training
BATCH = 32

# MD5 of inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5, as Keras itself checks it after a download.
PUBLISHED_MD5 = "bcbd6486424b2319ff4ef7d526e38f63"


@dataclasses.dataclass(frozen=True, eq=False)
class Inception:
    """The network up to its last average pooling.

    Attributes:
        forward: uint8 pictures (32, size, size, 3) to features, float32 (32, 2048).
        name: of its features, used in the names of scores.
        about: a description of weights, resizing and layer.
    """

    forward: Callable[[jax.Array], jax.Array]
    name: str
    about: str

    def describe(self, images: np.ndarray, progress: bool = False) -> np.ndarray:
        """Features, float32 (n, 2048), of uint8 pictures (n, size, size, 3)."""
        from tqdm import tqdm

        parts = []
        starts = range(0, len(images), BATCH)
        for start in tqdm(starts, desc="Inception", disable=None if progress else True, leave=False):
            block = images[start : start + BATCH]
            filled = np.concatenate([block, np.repeat(block[-1:], BATCH - len(block), axis=0)])
            parts.append(np.asarray(self.forward(jnp.asarray(filled)))[: len(block)])
        return np.concatenate(parts)


def inception_features(path: Path, size: int = SIZE) -> Inception:
    """The network with the weights in `path`.

    Args:
        path: an .h5 or .weights.h5 file with weights of `keras.applications.InceptionV3(include_top=False)`.
        size: pictures are resized bilinearly to size x size pixels.

    Raises:
        UserError: the file cannot be read, or holds other weights.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"--inception {path} cannot be read: {error.strerror or error}") from error
    model = stateless.without_values(
        lambda: keras.applications.InceptionV3(
            include_top=False, weights=None, pooling="avg", input_shape=(size, size, 3)
        )
    )
    try:
        model.load_weights(path)
    except Exception as error:  # on a damaged file Keras may raise anything
        raise UserError(
            f"--inception {path} does not hold the weights of keras.applications.InceptionV3 without its top "
            f"({type(error).__name__}): use inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
        ) from error
    params = [variable.value for variable in model.trainable_variables]
    statistics = [variable.value for variable in model.non_trainable_variables]

    @jax.jit
    def network(params: list[jax.Array], statistics: list[jax.Array], images: jax.Array) -> jax.Array:
        scaled = images.astype(jnp.float32) / 127.5 - 1
        resized = jax.image.resize(scaled, (len(images), size, size, 3), "bilinear")
        return stateless.call(model, params, statistics, resized, training=False)[0]

    is_published = hashlib.md5(content, usedforsecurity=False).hexdigest() == PUBLISHED_MD5
    about = (
        f"keras.applications.InceptionV3, last average pooling, weights {path.name} "
        f"({'published by Keras' if is_published else 'not the file that Keras publishes'}, SHA-256 "
        f"{hashlib.sha256(content).hexdigest()}), pictures resized bilinearly to {size} px"
    )
    return Inception(lambda images: network(params, statistics, images), "keras_inception_v3", about)
