"""A workload as a ganjax GAN, with Keras's Adam, so that all paths make the same updates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from ganjax.gan import GAN, Normal
from ganjax.optimizers import keras_adam

EPSILON = 1e-7  # Keras's default


def make_gan(spec: Mapping[str, Any], generator: keras.Model, discriminator: keras.Model) -> GAN:
    """The GAN of two networks under the settings of a `Work.spec`."""
    adam = keras_adam(spec["learning_rate"], spec["beta_1"], spec["beta_2"], spec["epsilon"])
    return GAN(
        generator,
        discriminator,
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        latent=Normal(scale=spec["latent_scale"]),
        ema_decay=spec["ema_decay"],
    )
