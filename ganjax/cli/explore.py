"""`ganjax explore RUN`: its latent space, as grids, a film, or an interactive page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ganjax.cli.libraries import start_jax
from ganjax.cli.parsing import parse
from ganjax.experiments.ranges import Range, Seed, check_settings
from ganjax.system.errors import UserError, writing

if TYPE_CHECKING:
    import numpy as np

    from ganjax.runs.saved_models import SavedGenerator

LEG = 16  # frames of the film from one face to the next
FRAME = 0.07  # seconds
SEEN = 64  # pixels: smaller faces are enlarged, which also leaves space for the labels of a grid


@dataclasses.dataclass(frozen=True)
class Explore:
    """Explore a run's latent space.

    Draws grids: constant latents, coordinates flipped ten at a time, the first 35 coordinates fixed,
    spherical interpolation between random faces, principal directions, and truncation. --film adds a film of
    an interpolation; --serve shows an interactive page instead.

    $ ganjax explore runs/cartoon-0
    $ ganjax explore runs/cartoon-0 --seed 7 --truncation 0.7 --film --out walk/
    $ ganjax explore runs/cartoon-0 --serve
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Run folder."""
    seed: Seed = 1
    """Seed of the random latents."""
    rows: Annotated[int, Range(1, 100)] = 6
    """Number of random faces to start from, one for each row."""
    columns: Annotated[int, Range(2, 100)] = 8
    """Pictures in a row."""
    truncation: Annotated[float, Range(0, 1)] = 1.0
    """Scale the distance of random latents from their mean: small values give typical, less varied faces."""
    film: bool = False
    """Also write walk.gif, a smooth interpolation through the first faces of the rows and back."""
    serve: bool = False
    """Write no files; instead serve an interactive page with sliders, to this machine only, until Ctrl-C."""
    port: Annotated[int | None, Range(0, 65_535)] = None
    """Port of the page of --serve; by default any free port."""
    out: Path | None = None
    """Folder for the pictures; by default RUN/explore."""

    def __post_init__(self) -> None:
        check_settings(self)
        if self.serve and (self.film or self.out):
            raise UserError(f"--serve writes no files: leave out {'--film' if self.film else '--out'}")
        if self.port is not None and not self.serve:
            raise UserError("--port needs --serve")


def run(words: Sequence[str]) -> int:
    """Run `ganjax explore` with these words; returns the exit code."""
    asked = parse(Explore, words, "ganjax explore")
    start_jax()

    from ganjax.latents import Normal
    from ganjax.runs.run_folder import RunFolder
    from ganjax.runs.saved_models import SavedGenerator

    generator = SavedGenerator(RunFolder.open(asked.run))
    if len(generator.sample_shape) != 3:
        raise UserError(f"{asked.run} generates points, not pictures: there is nothing to explore")
    if not isinstance(generator.latent, Normal):
        kind = type(generator.latent).__name__
        raise UserError(f"{asked.run} draws its latents with {kind}: only normal latents can be explored")
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
    # All are decoded in one call, so that only one program is compiled.
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
    """By which whole factor images are enlarged."""
    return max(1, SEEN // images.shape[1])
