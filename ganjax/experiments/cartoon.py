"""Cartoon experiments: faces learned from rendered avatars or from a folder of pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from ganjax.experiments.base import Experiment
from ganjax.experiments.ranges import Decay, LearningRate, PenaltyWeight, Range, Steps, StepsOrNever
from ganjax.system.errors import UserError
from ganjax.system.keras_settings import default_keras_settings

if TYPE_CHECKING:
    import jax

    from ganjax.datasets.batches import Source
    from ganjax.datasets.conditions import Condition
    from ganjax.gan import GAN
    from ganjax.state import GANState

PictureCount = Annotated[int, Range(1, 2**18)]  # times the largest batch it is below 2^31: see `Resident`
PictureBatch = Annotated[int, Range(1, 2**12)]
Channels = Annotated[int, Range(1, 256)]

SHEET = 8  # faces in a row and in a column of a picture
NAMED = 20  # files that were not used, at most, that the manifest names


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Pictures(Experiment):
    """What experiments on pictures have in common: where the pictures come from, and how they are drawn."""

    large_temporaries: ClassVar[bool] = True
    keras_defaults: ClassVar[bool] = True
    condition: ClassVar[str | None] = None

    data: str | None = None
    """Name of a data set (`ganjax data list`), URL, folder, .zip or .tar; default: rendered ones."""
    images: PictureCount = 8192
    """Number of cartoon faces to render; they are cached."""
    cache_dir: str | None = None
    """Folder for downloads and prepared pictures; by default your cache folder."""
    offline: bool = False
    """Do not use the network: what --data names must be in the cache."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.renders and self.batch > self.images:
            raise UserError(
                f"--batch {self.batch} is more than --images {self.images}: lower --batch or raise --images"
            )

    @property
    def renders(self) -> bool:
        """Whether the pictures are rendered faces, rather than given ones."""
        return self.data in (None, "avatars")

    @property
    def pixels(self) -> int:
        """Height and width of the pictures."""
        raise NotImplementedError

    def load(self, progress: bool) -> tuple[Source, Mapping[str, Any]]:
        import sys

        import numpy as np

        from ganjax import datasets

        pictures = datasets.load(
            self.data,
            self.pixels,
            images=self.images,
            cache_dir=self.cache_dir,
            progress=progress,
            offline=self.offline,
        )
        if pictures.skipped and progress:
            more = f"; and {len(pictures.skipped) - 5} more" if len(pictures.skipped) > 5 else ""
            print(f"not used: {'; '.join(pictures.skipped[:5])}{more}", file=sys.stderr)
        if self.batch > len(pictures):  # an update would then see a picture twice
            raise UserError(
                f"--batch {self.batch} is more than the {len(pictures)} usable pictures of {pictures.name}: "
                f"give --batch {len(pictures)} or less, or more pictures"
            )
        description = {
            "name": pictures.name,
            "count": len(pictures),
            "sha256": pictures.fingerprint,
            "skipped": len(pictures.skipped),
            "skipped_files": list(pictures.skipped[:NAMED]),
        }
        if pictures.origin:
            description["origin"] = dict(pictures.origin)
        if self.conditions is None:
            return datasets.Resident(pictures), description
        labels = {attribute: np.asarray(pictures.labels[attribute]) for attribute in self.conditions.names}
        description["condition"] = self.conditions.to_json()
        return datasets.Resident(pictures, self.conditions.encode(labels)), description

    @cached_property
    def conditions(self) -> Condition | None:
        """The meaning of this GAN's labels; None if it has no labels.

        Raises:
            UserError: the pictures have no such labels.
        """
        if self.condition is None:
            return None
        from ganjax.datasets import avatars
        from ganjax.datasets.conditions import Condition

        if not self.renders:
            raise UserError("--condition needs labels, which only the rendered faces have: leave out --data")
        return Condition.of(self.condition, avatars.choose_parts(0, self.images), avatars.LABEL_NAMES)

    def draw(self, path: Path, state: GANState, source: Source, key: jax.Array) -> None:
        from ganjax import sampling

        latents = sampling.sample_latent(self.gan, key, SHEET**2)
        self._save_sheet(path, state, latents, self._labels(SHEET**2))

    def walk(self, path: Path, state: GANState, key: jax.Array) -> None:
        import numpy as np

        from ganjax import sampling
        from ganjax.viewing.latents import slerp

        ends = np.asarray(sampling.sample_latent(self.gan, key, 2 * SHEET))
        latents = slerp(ends[:SHEET], ends[SHEET:], np.linspace(0, 1, SHEET))
        labels = self._labels(SHEET)
        if labels is not None:  # only the latent changes along a walk
            labels = np.repeat(labels, SHEET, axis=0)
        self._save_sheet(path, state, latents, labels)

    def _labels(self, n: int) -> Any:
        return None if self.conditions is None else self.conditions.encode(self.conditions.draw(0, n))

    def _save_sheet(self, path: Path, state: GANState, latents: Any, labels: Any) -> None:
        import jax

        from ganjax import sampling, viewing

        # Samples and walks have the same number of faces, so one compiled program decodes both.
        decode = jax.jit(sampling.decode, static_argnums=0)
        faces = decode(self.gan, state, latents, labels)  # in [-1, 1]: the generators end in tanh
        viewing.save_grid(path, viewing.to_uint8(faces, (-1, 1)), columns=SHEET)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OriginalCartoon(_Pictures):
    """The course's DCGAN at 64 pixels, layer by layer, with its defects corrected.

    ganjax train original-cartoon --data cartoon_20000

    Takes 0.53 s per step on 2 cores (AVX-512): meant for a GPU.
    """

    name: ClassVar[str] = "original-cartoon"

    steps: Steps = 3120
    """Number of updates of the generator; 156 are one epoch of the course's 20 000 pictures."""
    batch: PictureBatch = 128
    """Real samples per update; as many are generated."""
    picture_every: StepsOrNever = 156
    """Number of steps between pictures (frames of film.gif); 0 for none."""

    @property
    def pixels(self) -> int:
        return 64

    @cached_property
    @default_keras_settings()
    def gan(self) -> GAN:
        from ganjax.gan import GAN
        from ganjax.networks import dcgan

        return GAN(
            dcgan.original_generator(),
            dcgan.original_discriminator(),
            ema_decay=0.0,  # the course does not average
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cartoon(_Pictures):
    """New cartoon faces, in minutes on two CPU cores.

    ganjax train cartoon

    Takes 4 min 38 s on 2 cores (AVX-512; AVX2 was not measured). Expect 64 different faces with many skin
    colours, hair styles, glasses, beards and hats, some with speckled edges; no collapse with seeds 0 to 4.

    The recipe is that of R3GAN (Huang et al. 2024): relativistic pairing loss, R1 and R2 on every step, Adam
    without momentum. Batches are small, to afford enough steps on a CPU.
    """

    name: ClassVar[str] = "cartoon"

    size: Literal[32, 64, 128] = 64
    """Height and width of the pictures."""
    steps: Steps = 5000
    """Number of updates of the generator."""
    batch: PictureBatch = 16
    """Real samples per update; as many are generated."""
    width: Channels = 24
    """Channels of the generator at half the image size; doubled at each halving of the size."""
    discriminator_width: Channels = 16
    """Channels of the discriminator at half the image size; doubled at each halving of the size."""
    loss: Literal["relativistic", "hinge", "cross-entropy"] = "relativistic"
    """Loss of the two networks."""
    penalties: Literal["none", "r1", "r1+r2"] = "r1+r2"
    """Gradient penalties: R1 is on real samples, R2 on generated ones."""
    penalty: PenaltyWeight = 20.0
    """Initial weight (gamma) of the penalties; decays to a fifth of it (cosine)."""
    normalization: Literal["none", "spectral", "batch", "spectral+batch"] = "none"
    """Normalization in the discriminator."""
    condition: str | None = None
    """Parts of the rendered faces to use as labels, such as hair,glasses: samples with chosen parts can then
    be drawn."""
    augment: str | None = None
    """Augmentations of what the discriminator sees: any of flip,color,translation,cutout."""
    learning_rate: LearningRate = 1e-3
    """Initial learning rate of both Adam optimisers; decays to a tenth of it (cosine)."""
    b1: Decay = 0.0
    """b1 of both Adam optimisers: decay of the mean gradient."""
    b2: Decay = 0.99
    """b2 of both Adam optimisers: decay of the mean squared gradient."""
    ema_decay: Decay = 0.998
    """Decay per step of the averaged generator (EMA)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._augmentation()  # raises for unknown names
        self.conditions  # noqa: B018

    @property
    def pixels(self) -> int:
        return self.size

    @cached_property
    @default_keras_settings()
    def gan(self) -> GAN:
        import optax

        from ganjax import losses
        from ganjax.gan import GAN
        from ganjax.networks import cartoon
        from ganjax.penalties import R1, R2

        rate = optax.cosine_decay_schedule(self.learning_rate, self.steps, alpha=0.1)
        gamma = optax.cosine_decay_schedule(self.penalty, self.steps, alpha=0.2)
        adam = optax.adam(rate, b1=self.b1, b2=self.b2)
        objective = {
            "relativistic": losses.relativistic_pairing,
            "hinge": losses.hinge,
            "cross-entropy": losses.binary_cross_entropy,
        }
        terms = {"none": (), "r1": (R1(gamma),), "r1+r2": (R1(gamma), R2(gamma))}
        labels = 0 if self.conditions is None else self.conditions.size
        return GAN(
            cartoon.cartoon_generator(self.size, self.width, labels=labels),
            cartoon.cartoon_discriminator(
                self.size,
                self.discriminator_width,
                labels=labels,
                spectral="spectral" in self.normalization,
                batch_norm="batch" in self.normalization,
            ),
            loss=objective[self.loss],
            penalties=terms[self.penalties],
            generator_optimizer=adam,
            discriminator_optimizer=adam,
            augment=self._augmentation(),
            ema_decay=self.ema_decay,
        )

    def _augmentation(self) -> Any:
        if self.augment is None:
            return None
        from ganjax.augmentations import AUGMENTATIONS, Sequence

        words = self.augment.split(",")
        for word in words:
            if word not in AUGMENTATIONS:
                raise UserError(f"--augment {word!r} is not one of {', '.join(AUGMENTATIONS)}")
        return Sequence(tuple(AUGMENTATIONS[word] for word in words))


@dataclasses.dataclass(frozen=True, kw_only=True)
class CartoonFull(Cartoon):
    """The recipe of `cartoon` with wider networks, larger batches, more faces and more steps.

    ganjax train cartoon-full

    Takes 0.69 s per step on 2 cores (AVX-512), so 9.6 hours: meant for a GPU, where it has not been run yet.
    """

    name: ClassVar[str] = "cartoon-full"

    images: PictureCount = 65_536
    """Number of cartoon faces to render; they are cached."""
    steps: Steps = 50_000
    """Number of updates of the generator."""
    batch: PictureBatch = 64
    """Real samples per update; as many are generated."""
    width: Channels = 64
    """Channels of the generator at half the image size; doubled at each halving of the size."""
    discriminator_width: Channels = 48
    """Channels of the discriminator at half the image size; doubled at each halving of the size."""
    learning_rate: LearningRate = 5e-4
    """Initial learning rate of both Adam optimisers; decays to a tenth of it (cosine)."""
    ema_decay: Decay = 0.9995
    """Decay per step of the averaged generator (EMA)."""
    log_every: Steps = 100
    """Number of steps between rows of metrics.csv."""
    picture_every: StepsOrNever = 1000
    """Number of steps between pictures (frames of film.gif); 0 for none."""
