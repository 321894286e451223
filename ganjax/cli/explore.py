"""`ganjax explore RUN`: what the coordinates of the latent space do, as labelled grids of pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from ganjax.cli.outputs import writing
from ganjax.cli.parsing import parse
from ganjax.errors import UserError
from ganjax.experiments.ranges import Range, Seed, check_settings

if TYPE_CHECKING:
    import numpy as np

CONSTANTS = (1.0, 0.8, 0.6, 0.4, -0.4, -0.6, -0.8, -1.0)
FLIP = 10  # coordinates flipped at a time
HELD = 35  # coordinates held fixed while the rest is redrawn


@dataclasses.dataclass(frozen=True)
class Explore:
    """Walk through a run's latent space: constant latents, coordinates flipped ten at a time, the first
    35 held fixed, and walks along the sphere between random faces.

    $ ganjax explore runs/cartoon-0
    $ ganjax explore runs/cartoon-0 --seed 7 --out walk/
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of the run."""
    seed: Seed = 1
    """Seed of the random latents."""
    rows: Annotated[int, Range(1, 100)] = 6
    """Random faces to start from, a row each."""
    columns: Annotated[int, Range(2, 100)] = 8
    """Pictures in a row."""
    out: Path | None = None
    """Folder for the pictures; RUN/explore by default."""

    def __post_init__(self) -> None:
        check_settings(self)


def run(words: Sequence[str]) -> int:
    """Run `ganjax explore` with these words; returns the exit code."""
    asked = parse(Explore, words, "ganjax explore")

    from ganjax import viewing
    from ganjax.training.compilation_cache import keep_compilations
    from ganjax.training.run_folder import RunFolder
    from ganjax.training.saved import SavedGenerator

    keep_compilations()
    generator = SavedGenerator(RunFolder.open(asked.run))
    if len(generator.sample_shape) != 3:
        raise UserError(f"{asked.run} generates points, not pictures: there is nothing to explore")
    out = asked.out or asked.run / "explore"
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    latents = generator.draw_latents(asked.seed, asked.rows * (2 + asked.columns))
    ends, others = latents[: 2 * asked.rows], latents[2 * asked.rows :]
    grids = {
        "constant": constant_latents(ends.shape[1:]),
        "flipped": flipped_latents(ends.shape[1:]),
        "held": held_latents(ends[: asked.rows], others),
        "interpolated": interpolated_latents(ends[: asked.rows], ends[asked.rows :], asked.columns),
    }
    for name, (latents, rows, columns) in grids.items():
        images = generator.decode(latents)
        scale = max(1, 64 // images.shape[1])  # room for the labels of small pictures
        grid = viewing.labelled_grid(images, rows, columns, scale=scale)
        with writing(out):
            viewing.save_image(out / f"{name}.png", grid)
        print(out / f"{name}.png")
    return 0


def constant_latents(shape: tuple[int, ...]) -> tuple[np.ndarray, list[str], list[str] | None]:
    """Latents whose coordinates are all equal, with the labels of their one row."""
    import numpy as np

    latents = np.stack([np.full(shape, value, np.float32) for value in CONSTANTS])
    return latents, ["every\ncoordinate"], [f"{value:g}" for value in CONSTANTS]


def flipped_latents(shape: tuple[int, ...]) -> tuple[np.ndarray, list[str], list[str] | None]:
    """From all 1 to all -1, ten more coordinates flipped at a time."""
    import numpy as np

    size = int(np.prod(shape))
    counts = [*range(0, size, FLIP), size]
    place = np.arange(size)
    latents = np.stack([np.where(place < count, -1.0, 1.0) for count in counts])
    return (
        latents.reshape(-1, *shape).astype(np.float32),
        ["flipped\nto -1"],
        [str(count) for count in counts],
    )


def held_latents(starts: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, list[str], list[str] | None]:
    """Each row: the first coordinates of one start, the rest redrawn for every picture."""
    import numpy as np

    rows = len(starts)
    held = min(HELD, starts[0].size // 2)
    latents = others.reshape(rows, -1, starts[0].size).copy()
    latents[:, :, :held] = starts.reshape(rows, 1, -1)[:, :, :held]
    labels = [f"first {held}\nof face {i + 1}" for i in range(rows)]
    return latents.reshape(-1, *starts.shape[1:]).astype(np.float32), labels, None


def interpolated_latents(
    starts: np.ndarray, ends: np.ndarray, columns: int
) -> tuple[np.ndarray, list[str], list[str] | None]:
    """Each row: from one face to another along the sphere (White 2016, https://arxiv.org/abs/1609.04468).

    slerp(a, b; t) = sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b, with w the angle between a and b: a
    straight line would pass through latents far shorter than any the generator was trained on.
    """
    import numpy as np

    rows = len(starts)
    a, b = (x.reshape(rows, 1, -1).astype(np.float64) for x in (starts, ends))
    lengths = np.linalg.norm(a, axis=2, keepdims=True) * np.linalg.norm(b, axis=2, keepdims=True)
    angle = np.arccos(np.clip(np.sum(a * b, axis=2, keepdims=True) / lengths, -1, 1))
    angle = np.clip(angle, 1e-6, np.pi - 1e-6)
    t = np.linspace(0, 1, columns)[None, :, None]
    latents = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    labels = [f"face {i + 1}\nto {rows + i + 1}" for i in range(rows)]
    return latents.reshape(-1, *starts.shape[1:]).astype(np.float32), labels, [f"{x:.2f}" for x in t.ravel()]
