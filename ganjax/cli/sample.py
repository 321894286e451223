"""`ganjax sample RUN`: samples of a trained generator, as a picture, arrays or a folder of pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from ganjax.cli.libraries import start_jax
from ganjax.cli.parsing import parse
from ganjax.experiments.ranges import Range, Seed, check_settings
from ganjax.system.errors import UserError, writing

if TYPE_CHECKING:
    import numpy as np


@dataclasses.dataclass(frozen=True)
class Sample:
    """Draw samples from a run's generator.

    $ ganjax sample runs/cartoon-0 --n 64 --seed 1 --out faces.png
    $ ganjax sample runs/cartoon-0 --n 10000 --out faces.npz
    $ ganjax sample runs/cartoon-0 --n 100 --out faces/
    $ ganjax sample runs/asked --parts hair=bob,glasses=round     # trained with --condition hair,glasses
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Run folder."""
    n: Annotated[int, Range(1, 1_000_000)] = 64
    """Number of samples."""
    seed: Seed = 1
    """Seed of the latents: the same seed gives the same samples."""
    parts: str | None = None
    """For a run with --condition: the labels to show. Labels that are not given are drawn as in the data."""
    out: Path = Path("samples.png")
    """A .png (one grid or plot), a .npz (arrays `samples` and `latents`), or a folder (a PNG per sample)."""

    def __post_init__(self) -> None:
        check_settings(self)
        if self.out.suffix not in ("", ".png", ".npz"):
            raise UserError(f"--out {self.out} must end in .png or .npz, or be a folder")


def run(words: Sequence[str]) -> int:
    """Run `ganjax sample` with these words; returns the exit code."""
    asked = parse(Sample, words, "ganjax sample")
    start_jax()

    import numpy as np

    from ganjax.runs.run_folder import RunFolder
    from ganjax.runs.saved_models import SavedGenerator

    generator = SavedGenerator(RunFolder.open(asked.run))
    are_pictures = len(generator.sample_shape) == 3
    if not are_pictures and asked.out.suffix == "":
        raise UserError("points can be written to a .npz file or a .png plot, not to a folder")
    latents = generator.draw_latents(asked.seed, asked.n)
    labels = None
    if generator.condition:
        values = generator.condition.draw(asked.seed, asked.n)
        if asked.parts:
            values |= {a: np.full(asked.n, v) for a, v in generator.condition.parse(asked.parts).items()}
        labels = generator.condition.encode(values)
    elif asked.parts:
        raise UserError(f"{asked.run} takes no --parts: train one with --condition hair,glasses")
    samples = generator.decode(latents, labels)
    with writing(asked.out):
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        if asked.out.suffix == ".npz":
            _write_arrays(asked.out, samples, latents)
        elif are_pictures:
            _write_pictures(asked.out, samples)
        else:
            _write_plot(asked.out, samples)
    print(asked.out)
    return 0


def _write_arrays(path: Path, samples: np.ndarray, latents: np.ndarray) -> None:
    import numpy as np

    from ganjax.system.files import atomic

    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, samples=samples, latents=latents)


def _write_pictures(path: Path, images: np.ndarray) -> None:
    from ganjax import viewing

    if path.suffix == ".png":
        viewing.save_grid(path, images)
        return
    path.mkdir(exist_ok=True)
    for i, pixels in enumerate(viewing.to_uint8(images)):
        viewing.save_image(path / f"{i:06d}.png", pixels if pixels.shape[2] == 3 else pixels[..., 0])


def _write_plot(path: Path, points: np.ndarray) -> None:
    from ganjax import viewing

    plot = viewing.plot_distribution if points.shape[1] == 1 else viewing.plot_landscape
    viewing.save_figure(path, plot(None, points).figure)
