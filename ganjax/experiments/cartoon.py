"""Cartoon experiments: faces learnt from rendered avatars or from a folder of pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from ganjax.experiments.base import Experiment
from ganjax.experiments.ranges import Decay, LearningRate, PenaltyWeight, Range, Steps, StepsOrNever
from ganjax.system.errors import UserError

if TYPE_CHECKING:
    import jax

    from ganjax.datasets.batches import Source
    from ganjax.datasets.conditions import Condition
    from ganjax.gan import GAN
    from ganjax.state import GANState

PictureCount = Annotated[int, Range(1, 2**18)]  # this, times the largest batch, is below 2^31: see `Resident`
PictureBatch = Annotated[int, Range(1, 2**12)]
Channels = Annotated[int, Range(1, 256)]

SHEET = 8  # faces in a row and in a column of a picture
NAMED = 20  # files that were not used, at most, that the manifest names


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Pictures(Experiment):
    """What experiments on pictures share: where these come from, and how they are shown."""

    large_temporaries: ClassVar[bool] = True
    condition: ClassVar[str | None] = None

    data: str | None = None
    """Name of a set (`ganjax data list`), https:// address, folder, .zip or .tar; by default drawn faces."""
    images: PictureCount = 8192
    """How many cartoon faces to render (once: they are cached)."""
    cache_dir: str | None = None
    """Folder for downloads and prepared pictures; by default the user's cache folder."""
    offline: bool = False
    """Open no connection: what --data names must be in the cache."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.renders and self.batch > self.images:
            raise UserError(
                f"--batch {self.batch} is more than --images {self.images}: give fewer, or more faces"
            )

    @property
    def renders(self) -> bool:
        """Whether the pictures are faces rendered here."""
        return self.data in (None, "avatars")

    @property
    def pixels(self) -> int:
        """Height and width of the pictures."""
        raise NotImplementedError

    def load(self, progress: bool) -> tuple[Source, Mapping[str, Any]]:
        import sys

        import numpy as np

        from ganjax import datasets

        found = datasets.load(
            self.data,
            self.pixels,
            images=self.images,
            cache_dir=self.cache_dir,
            progress=progress,
            offline=self.offline,
        )
        if found.skipped and progress:
            more = f"; and {len(found.skipped) - 5} more" if len(found.skipped) > 5 else ""
            print(f"not used: {'; '.join(found.skipped[:5])}{more}", file=sys.stderr)
        if self.batch > len(found):  # an epoch of less than a batch would show pictures twice in one update
            raise UserError(
                f"--batch {self.batch} is more than the {len(found)} usable pictures of {found.name}: "
                f"give --batch {len(found)} or less, or more pictures"
            )
        description = {
            "name": found.name,
            "count": len(found),
            "sha256": found.fingerprint,
            "skipped": len(found.skipped),
            "skipped_files": list(found.skipped[:NAMED]),
        }
        if found.origin:
            description["origin"] = dict(found.origin)
        if self.conditions is None:
            return datasets.Resident(found), description
        labels = {attribute: np.asarray(found.labels[attribute]) for attribute in self.conditions.names}
        description["condition"] = self.conditions.to_json()
        return datasets.Resident(found, self.conditions.encode(labels)), description

    @cached_property
    def conditions(self) -> Condition | None:
        """What labels mean in this GAN; None where it has none.

        Raises:
            UserError: the pictures have no such labels.
        """
        if self.condition is None:
            return None
        from ganjax.datasets import avatars
        from ganjax.datasets.conditions import Condition

        if not self.renders:
            raise UserError("--condition needs labels, which the rendered faces have: leave out --data")
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
        if labels is not None:  # a walk is one of latents: its faces have the same parts
            labels = np.repeat(labels, SHEET, axis=0)
        self._save_sheet(path, state, latents, labels)

    def _labels(self, n: int) -> Any:
        return None if self.conditions is None else self.conditions.encode(self.conditions.draw(0, n))

    def _save_sheet(self, path: Path, state: GANState, latents: Any, labels: Any) -> None:
        import jax

        from ganjax import sampling, viewing

        # Faces and walks are as many, so that one compiled program draws both.
        decode = jax.jit(sampling.decode, static_argnums=0)
        faces = decode(self.gan, state, latents, labels)  # in [-1, 1]: the generators end in tanh
        viewing.save_grid(path, viewing.to_uint8(faces, (-1, 1)), columns=SHEET)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OriginalCartoon(_Pictures):
    """The course's DCGAN at 64 pixels, layer by layer, its defects repaired.

    ganjax train original-cartoon --data cartoon_20000

    0.53 s a step on 2 cores (AVX-512): meant for a GPU.
    """

    name: ClassVar[str] = "original-cartoon"

    steps: Steps = 3120
    """Updates of the generator; 156 make one epoch of the course's 20 000 pictures."""
    batch: PictureBatch = 128
    """Real samples in an update, and generated ones beside them."""
    picture_every: StepsOrNever = 156
    """Steps from one picture (and frame of film.gif) to the next; 0 for none."""

    @property
    def pixels(self) -> int:
        return 64

    @cached_property
    def gan(self) -> GAN:
        from ganjax.gan import GAN
        from ganjax.networks import dcgan

        return GAN(
            dcgan.original_generator(),
            dcgan.original_discriminator(),
            ema_decay=0.0,  # the course has no averaging
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cartoon(_Pictures):
    """Cartoon faces that nobody drew, in minutes on two CPU cores.

    ganjax train cartoon

    4 min 38 s on 2 cores (AVX-512; on AVX2 not measured). 64 different busts of many skins, hairs, glasses,
    beards and hats, some speckled at their edges; no collapse with seeds 0 to 4.

    The recipe is R3GAN's (Huang et al. 2024): relativistic pairing loss, R1 and R2 on every step, Adam
    without momentum; in small batches, as steps are scarce on a CPU.
    """

    name: ClassVar[str] = "cartoon"

    size: Literal[32, 64, 128] = 64
    """Height and width of the pictures."""
    steps: Steps = 5000
    """Updates of the generator."""
    batch: PictureBatch = 16
    """Real samples in an update, and generated ones beside them."""
    width: Channels = 24
    """Channels of the generator at half the size, doubled at each halving."""
    discriminator_width: Channels = 16
    """Channels of the discriminator at half the size, doubled at each halving."""
    loss: Literal["relativistic", "hinge", "cross-entropy"] = "relativistic"
    """What the two networks minimise."""
    penalties: Literal["none", "r1", "r1+r2"] = "r1+r2"
    """Gradient penalties: on real samples, and on generated ones too."""
    penalty: PenaltyWeight = 20.0
    """Their weight gamma at the start; on a cosine to a fifth of it."""
    normalization: Literal["none", "spectral", "batch", "spectral+batch"] = "none"
    """In the discriminator."""
    condition: str | None = None
    """Parts of the drawn faces that can then be asked for, as in hair,glasses."""
    augment: str | None = None
    """Alters what the discriminator sees: any of flip,color,translation,cutout."""
    learning_rate: LearningRate = 1e-3
    """Of both Adams at the start; on a cosine to a tenth of it."""
    b1: Decay = 0.0
    """Of both Adams: decay of the mean gradient."""
    b2: Decay = 0.99
    """Of both Adams: decay of the mean squared gradient."""
    ema_decay: Decay = 0.998
    """Of the averaged generator."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._augmentation()  # what these name must be there: said now
        self.conditions  # noqa: B018

    @property
    def pixels(self) -> int:
        return self.size

    @cached_property
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
                raise UserError(f"--augment {word!r} is none of {', '.join(AUGMENTATIONS)}")
        return Sequence(tuple(AUGMENTATIONS[word] for word in words))


@dataclasses.dataclass(frozen=True, kw_only=True)
class CartoonFull(Cartoon):
    """The recipe of `cartoon` where time is no object: wider networks, larger batches, more faces and steps.

    ganjax train cartoon-full

    0.69 s a step on 2 cores (AVX-512), so 9.6 hours: meant for a GPU, on which it has not been run yet.
    """

    name: ClassVar[str] = "cartoon-full"

    images: PictureCount = 65_536
    """How many cartoon faces to render (once: they are cached)."""
    steps: Steps = 50_000
    """Updates of the generator."""
    batch: PictureBatch = 64
    """Real samples in an update, and generated ones beside them."""
    width: Channels = 64
    """Channels of the generator at half the size, doubled at each halving."""
    discriminator_width: Channels = 48
    """Channels of the discriminator at half the size, doubled at each halving."""
    learning_rate: LearningRate = 5e-4
    """Of both Adams at the start; on a cosine to a tenth of it."""
    ema_decay: Decay = 0.9995
    """Of the averaged generator."""
    log_every: Steps = 100
    """Steps from one row of metrics.csv to the next."""
    picture_every: StepsOrNever = 1000
    """Steps from one picture (and frame of film.gif) to the next; 0 for none."""
