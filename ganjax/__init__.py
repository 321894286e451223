"""ganjax: GANs as pure functions, with Keras 3 networks on the JAX backend.

    gan = ganjax.GAN(generator, discriminator)                 # two Keras models, a loss, two Adams
    state = ganjax.init_state(gan, jax.random.key(0))          # one pytree
    step = jax.jit(ganjax.train_step, static_argnums=0, donate_argnums=1)
    state, metrics = step(gan, state, real)
    samples = ganjax.generate(gan, state, jax.random.key(1), n=64)

Importing the package chooses Keras's backend and nothing else, so that `ganjax --help` is quick. The core
(jax, keras, optax) is imported when one of its names is first used, and each package around it
(`ganjax.experiments`, `ganjax.networks`, `ganjax.datasets`, ...) when it is first named.
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganjax import augmentations as augmentations
    from ganjax import datasets as datasets
    from ganjax import experiments as experiments
    from ganjax import latents as latents
    from ganjax import losses as losses
    from ganjax import metrics as metrics
    from ganjax import networks as networks
    from ganjax import penalties as penalties
    from ganjax import populations as populations
    from ganjax import training as training
    from ganjax import viewing as viewing
    from ganjax.export import arrays_to_state as arrays_to_state
    from ganjax.export import export_models as export_models
    from ganjax.export import state_digest as state_digest
    from ganjax.export import state_to_arrays as state_to_arrays
    from ganjax.gan import GAN as GAN
    from ganjax.gan import Normal as Normal
    from ganjax.labelled import Labelled as Labelled
    from ganjax.losses import Loss as Loss
    from ganjax.losses import discriminator_loss as discriminator_loss
    from ganjax.losses import generator_loss as generator_loss
    from ganjax.optimizers import LossScale as LossScale
    from ganjax.optimizers import keras_adam as keras_adam
    from ganjax.penalties import R1 as R1
    from ganjax.penalties import R2 as R2
    from ganjax.penalties import WGANGP as WGANGP
    from ganjax.refreezing import refreeze as refreeze
    from ganjax.sampling import decode as decode
    from ganjax.sampling import discriminate as discriminate
    from ganjax.sampling import generate as generate
    from ganjax.sampling import sample_latent as sample_latent
    from ganjax.state import GANState as GANState
    from ganjax.state import NetworkState as NetworkState
    from ganjax.state import init_state as init_state
    from ganjax.step import train_step as train_step

__version__ = "0.1.0"

_CORE = {
    "gan": ("GAN", "Normal"),
    "labelled": ("Labelled",),
    "losses": ("Loss", "discriminator_loss", "generator_loss"),
    "optimizers": ("LossScale", "keras_adam"),
    "penalties": ("R1", "R2", "WGANGP"),
    "state": ("GANState", "NetworkState", "init_state"),
    "refreezing": ("refreeze",),
    "sampling": ("decode", "discriminate", "generate", "sample_latent"),
    "step": ("train_step",),
    "export": ("arrays_to_state", "export_models", "state_digest", "state_to_arrays"),
}
_MODULE_OF = {name: module for module, names in _CORE.items() for name in names}
_PACKAGES = (
    "augmentations", "datasets", "experiments", "latents", "losses", "metrics", "networks", "penalties",
    "populations", "training", "viewing",
)  # fmt: skip

__all__ = [*sorted(_MODULE_OF), *_PACKAGES]


def _choose_backend() -> None:
    # Keras decides on its backend when it is first imported. A choice made before ours is kept, and checked.
    if "keras" in sys.modules:
        backend = sys.modules["keras"].backend.backend()
    else:
        # Keras ignores an empty variable, too.
        backend = os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or "jax"
    if backend != "jax" and not _is_command():
        raise ImportError(
            f"ganjax needs Keras on the JAX backend, but the choice was {backend}: "
            "set the environment variable KERAS_BACKEND=jax before keras is first imported"
        )


def _is_command() -> bool:
    """Whether this process is the command `ganjax`, which sets the backend itself (`cli/libraries.py`)."""
    words = sys.orig_argv
    if "-m" in words:
        return words[words.index("-m") :][1:2] == ["ganjax"]
    return os.path.splitext(os.path.basename(sys.argv[0] if sys.argv else ""))[0] == "ganjax"


_choose_backend()


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"ganjax.{_MODULE_OF[name]}"), name)
    if name in _PACKAGES:
        return importlib.import_module(f"ganjax.{name}")
    raise AttributeError(f"module 'ganjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
