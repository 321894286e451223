"""The workloads of the throughput suite: networks, data and settings by name.

Names and settings can be read without JAX and Keras, which are imported when networks or data are made.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jax
    import keras

Pair = Callable[[], "tuple[keras.Model, keras.Model]"]
Draw = Callable[["jax.Array", int], "jax.Array"]

KERAS_POLICIES = {"float32": "float32", "tf32": "float32", "bfloat16": "mixed_bfloat16"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workload:
    """A GAN with data and settings. The loss is binary cross-entropy, updates are simultaneous, optimisers
    are Adam.

    Attributes:
        name: its name on the command line.
        pair: makes generator and discriminator.
        real: `(key, n) -> (n, *sample_shape)` float32 real samples.
        batch: number of real samples in a step of one seed, and of generated ones.
        seeds: number of pairs of networks, each with its own weights and latents, trained on the same
            batches.
        population: whether paths that can do so train all seeds as one state with a leading axis.
        pictures: whether samples are pictures, for which `ganjax train` sets the allocator for large
            temporaries.
        large: whether it is run by default on GPUs only.
        latent_scale: latents are N(0, latent_scale^2).
        learning_rate, beta_1, beta_2: of both Adam optimisers; epsilon is Keras's default.
        ema_decay: of the averaged generator; 0 for none.
    """

    name: str
    pair: Pair
    real: Draw
    batch: int
    seeds: int = 1
    population: bool = False
    pictures: bool = False
    large: bool = False
    latent_scale: float = 1.0
    learning_rate: float = 2e-4
    beta_1: float = 0.5
    beta_2: float = 0.999
    ema_decay: float = 0.999

    def networks(self, precision: str) -> tuple[keras.Model, keras.Model]:
        """Generator and discriminator with the dtype policy for `precision`, a key of `KERAS_POLICIES`."""
        import keras

        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(KERAS_POLICIES[precision])
        try:
            return self.pair()
        finally:
            keras.config.set_dtype_policy(before)


def _linear() -> tuple[keras.Model, keras.Model]:
    from ganjax.networks import linear_discriminator, linear_generator

    return linear_generator(), linear_discriminator()


def _perceptrons(width: int) -> Pair:
    def pair() -> tuple[keras.Model, keras.Model]:
        from ganjax.networks import mlp

        widths = [width] * 3
        return mlp(2, widths, 2, name="generator"), mlp(2, widths, 1, name="discriminator")

    return pair


def _dcgan(size: int, width: int) -> Pair:
    def pair() -> tuple[keras.Model, keras.Model]:
        from ganjax.networks import dcgan_discriminator, dcgan_generator

        return dcgan_generator(size, width), dcgan_discriminator(size, width, "batch")

    return pair


def _original() -> tuple[keras.Model, keras.Model]:
    from ganjax.networks import original_discriminator, original_generator

    return original_generator(), original_discriminator()


def _gaussian(key: jax.Array, n: int) -> jax.Array:
    from ganjax.datasets import toy

    return toy.gaussian(key, n)


def _ring(key: jax.Array, n: int) -> jax.Array:
    from ganjax.datasets import toy

    return toy.ring(key, n)


def _pictures(size: int) -> Draw:
    """Smooth random pictures: 4x4 pixels of noise, enlarged. Their contents do not matter for timing."""

    def draw(key: jax.Array, n: int) -> jax.Array:
        import jax
        import jax.numpy as jnp

        coarse = jax.random.normal(key, (n, 4, 4, 3), jnp.float32)
        return jnp.tanh(jax.image.resize(coarse, (n, size, size, 3), "cubic"))

    return draw


def _images(name: str, size: int, width: int, batch: int, **settings: Any) -> Workload:
    pair, real = _dcgan(size, width), _pictures(size)
    return Workload(name=name, pair=pair, real=real, batch=batch, pictures=True, **settings)


def _population(seeds: int) -> Workload:
    return Workload(
        name=f"ring-16-x{seeds}", pair=_perceptrons(16), real=_ring, batch=64, seeds=seeds, population=True
    )


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(
            name="original-toy",
            pair=_linear,
            real=_gaussian,
            batch=5000,
            latent_scale=10.0,
            learning_rate=0.5,
            beta_2=0.8,
            ema_decay=0.0,
        ),
        Workload(name="ring-16", pair=_perceptrons(16), real=_ring, batch=64),
        Workload(name="ring-128", pair=_perceptrons(128), real=_ring, batch=256),
        *(_population(seeds) for seeds in (1, 4, 16, 64)),
        _images("dcgan-32", 32, 32, 64),
        _images("dcgan-64", 64, 32, 64),
        Workload(
            name="original-cartoon",
            pair=_original,
            real=_pictures(64),
            batch=128,
            pictures=True,
            ema_decay=0.0,
        ),
        _images("dcgan-64-wide", 64, 64, 512, large=True),
        _images("dcgan-128", 128, 64, 128, large=True),
    )
}
"""The workloads by name, in the order in which they are run."""

QUICK = ("ring-16", "dcgan-32")
"""The workloads of `--quick`."""
