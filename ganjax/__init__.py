"""ganjax: GANs as pure functions, with Keras 3 networks on the JAX backend.

    gan = ganjax.GAN(generator, discriminator)                 # two Keras models, a loss, two Adams
    state = ganjax.init_state(gan, jax.random.key(0))          # one pytree
    step = jax.jit(ganjax.train_step, static_argnums=0, donate_argnums=1)
    state, metrics = step(gan, state, real)
    samples = ganjax.generate(gan, state, jax.random.key(1), n=64)

Importing the package imports this heart alone; `ganjax.experiments`, `ganjax.networks`, `ganjax.datasets`,
`ganjax.training` and `ganjax.viewing` are imported when they are first named.
"""

import importlib
import os

# Keras decides on its backend when it is first imported. A choice made before ours is kept, and checked.
os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

if keras.backend.backend() != "jax":
    raise ImportError(
        f"ganjax needs Keras on the JAX backend, but it runs on {keras.backend.backend()}: "
        "set the environment variable KERAS_BACKEND=jax before keras is first imported"
    )

from ganjax import losses, penalties
from ganjax.export import arrays_to_state, export_models, state_to_arrays
from ganjax.gan import GAN, Normal
from ganjax.losses import Loss, discriminator_loss, generator_loss
from ganjax.penalties import R1, R2, WGANGP
from ganjax.sampling import decode, discriminate, generate, sample_latent
from ganjax.state import GANState, NetworkState, init_state
from ganjax.step import train_step

__version__ = "0.1.0"

__all__ = [
    "GAN",
    "R1",
    "R2",
    "WGANGP",
    "GANState",
    "Loss",
    "NetworkState",
    "Normal",
    "arrays_to_state",
    "decode",
    "discriminate",
    "discriminator_loss",
    "export_models",
    "generate",
    "generator_loss",
    "init_state",
    "losses",
    "penalties",
    "sample_latent",
    "state_to_arrays",
    "train_step",
]

_ROOMS = ("cli", "datasets", "errors", "experiments", "networks", "training", "viewing")


def __getattr__(name: str):
    if name in _ROOMS:
        return importlib.import_module(f"ganjax.{name}")
    raise AttributeError(f"module 'ganjax' has no attribute {name!r}")
