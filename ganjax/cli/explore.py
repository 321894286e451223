"""`ganjax explore RUN`: what is where in its latent space, as grids, a film, or a page to play with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ganjax.cli.parsing import parse
from ganjax.experiments.ranges import Range, Seed, check_settings
from ganjax.system.errors import UserError, writing

if TYPE_CHECKING:
    import numpy as np

    from ganjax.runs.saved_models import SavedGenerator

LEG = 16  # frames of the film from one face to the next
FRAME = 0.07  # seconds
SEEN = 64  # pixels: smaller faces are enlarged, which leaves space for the labels of a grid, too


@dataclasses.dataclass(frozen=True)
class Explore:
    """Walk through a run's latent space.

    Grids: constant latents, coordinates flipped ten at a time, the first 35 held fixed, walks along the
    sphere between random faces, principal directions, and truncation. With --film also a walk as a film;
    with --serve, in place of all that, a page to play with.

    $ ganjax explore runs/cartoon-0
    $ ganjax explore runs/cartoon-0 --seed 7 --truncation 0.7 --film --out walk/
    $ ganjax explore runs/cartoon-0 --serve
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of the run."""
    seed: Seed = 1
    """Seed of the random latents."""
    rows: Annotated[int, Range(1, 100)] = 6
    """Random faces to start from, a row each."""
    columns: Annotated[int, Range(2, 100)] = 8
    """Pictures in a row."""
    truncation: Annotated[float, Range(0, 1)] = 1.0
    """Pull random latents towards their mean, to this part of their distance: more alike, and likelier."""
    film: bool = False
    """Also write walk.gif, a smooth walk through the faces the rows start from, and back."""
    serve: bool = False
    """Write nothing: serve a page on this machine, with the generator behind sliders, until Ctrl-C."""
    port: Annotated[int | None, Range(0, 65_535)] = None
    """Port of --serve's page; by default any that is free."""
    out: Path | None = None
    """Folder for the pictures; RUN/explore by default."""

    def __post_init__(self) -> None:
        check_settings(self)
        if self.serve and (self.film or self.out):
            raise UserError(f"--serve writes nothing: leave out {'--film' if self.film else '--out'}")
        if self.port is not None and not self.serve:
            raise UserError("--port is for the page of --serve")


def run(words: Sequence[str]) -> int:
    """Run `ganjax explore` with these words; returns the exit code."""
    asked = parse(Explore, words, "ganjax explore")

    from ganjax.runs.run_folder import RunFolder
    from ganjax.runs.saved_models import SavedGenerator
    from ganjax.system.compilation_cache import keep_compilations

    keep_compilations()
    generator = SavedGenerator(RunFolder.open(asked.run))
    if len(generator.sample_shape) != 3:
        raise UserError(f"{asked.run} generates points, not pictures: there is nothing to explore")
    if asked.serve:
        return _serve(asked, generator)
    _write(asked, generator, asked.out or asked.run / "explore")
    return 0


def _serve(asked: Explore, generator: SavedGenerator) -> int:
    from ganjax.serving import serve

    serve(generator, port=asked.port or 0, seed=asked.seed, truncation=asked.truncation)
    return 0


def _write(asked: Explore, generator: SavedGenerator, out: Path) -> None:
    import numpy as np

    from ganjax import viewing
    from ganjax.viewing import latents
    from ganjax.viewing.latent_directions import TruncatedGenerator

    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    truncated = TruncatedGenerator(generator)
    normal: Any = generator.latent
    drawn = generator.draw_latents(asked.seed, asked.rows * (2 + asked.columns))
    starts, ends, others = np.split(drawn, [asked.rows, 2 * asked.rows])
    shape, psi = starts.shape[1:], asked.truncation
    grids = {
        "constant": (latents.constant_latents(shape), 1.0),
        "flipped": (latents.flipped_latents(shape), 1.0),
        "held": (latents.held_latents(starts, others), psi),
        "interpolated": (latents.interpolated_latents(starts, ends, asked.columns), psi),
        "directions": (latents.direction_latents(starts[0], truncated.directions, normal.scale), psi),
        "truncation": (latents.truncated_latents(starts), np.tile(latents.TRUNCATIONS, asked.rows)),
    }
    walk = latents.closed_walk(starts, LEG) if asked.film else starts[:0]
    # Decoded at once, they cost one compilation.
    parts = [*((series[0], psi) for series, psi in grids.values()), (walk, psi)]
    images = truncated.decode(
        np.concatenate([part for part, _ in parts]),
        np.concatenate([np.broadcast_to(psi, len(part)) for part, psi in parts]),
    )
    *pictures, frames = np.split(images, np.cumsum([len(part) for part, _ in parts])[:-1])
    with writing(out):
        for (name, ((_, rows, columns), _)), part in zip(grids.items(), pictures, strict=True):
            grid = viewing.labelled_grid(part, rows, columns, scale=_enlarged(part))
            print(viewing.save_image(out / f"{name}.png", grid))
        if asked.film:
            film = [viewing.image_grid(frame[None], padding=0, scale=_enlarged(frames)) for frame in frames]
            print(viewing.save_film(out / "walk.gif", film, FRAME, last=FRAME, max_frames=None))


def _enlarged(images: np.ndarray) -> int:
    """How often each pixel of images stands beside itself."""
    return max(1, SEEN // images.shape[1])
