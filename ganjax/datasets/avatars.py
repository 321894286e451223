"""Cartoon faces that come with the package: rendered, never downloaded, with labels for all their parts.

Each face is drawn from a table of parts (python-avatars, after Pablo Stanley's Avataaars). Its parts depend
only on the seed and on its index: the same seed gives the same bytes, and a larger set begins with the
smaller.

About 700 layers are drawn once, and faces are composed of them, on one core (resvg does not release Python's
global lock, so threads would not help). 8192 faces took 1.6 s of processor time at 32 px, 3.5 s at 64 px
(2300 per second) and 11.6 s at 128 px, on an x86-64 machine with 2 cores::

    python -c "from ganjax.datasets.avatars import render_avatars; render_avatars(0, 8192, 64)"
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ganjax.datasets import avatar_layers as layers
from ganjax.datasets.cache import Contents, Write, cached
from ganjax.datasets.images import ImageSet, fingerprint

# To be increased with every change that alters a picture: then sets of older code are rendered again.
DRAWING = 2


class Choice(NamedTuple):
    """One value of an attribute, and its relative frequency."""

    name: str
    weight: float = 1.0
    color: str = ""


SKINS = (
    Choice("pale", 1.2, "#FFDBB4"),
    Choice("light", 1.4, "#EDB98A"),
    Choice("tanned", 0.4, "#FD9841"),
    Choice("yellow", 0.4, "#F8D25C"),
    Choice("brown", 1.2, "#D08B5B"),
    Choice("dark_brown", 1.2, "#AE5D29"),
    Choice("black", 1.2, "#614335"),
)
HAIR_COLORS = (
    Choice("black", 2.0, "#2C1B18"),
    Choice("brown_dark", 1.5, "#4A312C"),
    Choice("brown", 1.5, "#724133"),
    Choice("auburn", 1.2, "#A55728"),
    Choice("blonde", 1.0, "#B58143"),
    Choice("blonde_golden", 1.0, "#D6B370"),
    Choice("red", 0.9, "#C93305"),
    Choice("pastel_pink", 0.5, "#F59797"),
    Choice("platinum", 0.6, "#ECDCBF"),
    Choice("silver_gray", 0.6, "#E8E1E1"),
)
CLOTHING_COLORS = (
    Choice("black", 1.0, "#262E33"),
    Choice("blue_01", 1.0, "#65C9FF"),
    Choice("blue_02", 1.0, "#5199E4"),
    Choice("blue_03", 1.0, "#25557C"),
    Choice("gray_01", 0.7, "#E6E6E6"),
    Choice("gray_02", 0.7, "#929598"),
    Choice("heather", 1.0, "#3C4F5C"),
    Choice("pastel_blue", 0.6, "#B1E2FF"),
    Choice("pastel_green", 1.0, "#A7FFC4"),
    Choice("pastel_orange", 0.8, "#FFDEB5"),
    Choice("pastel_yellow", 1.0, "#FFFFB1"),
    Choice("pink", 1.2, "#FF488E"),
    Choice("red", 1.2, "#FF5C5C"),
    Choice("white", 0.7, "#FFFFFF"),
)
SHORT_HAIR = (
    *map(Choice, ["caesar", "caesar_side_part", "short_curly", "short_dreads_1", "short_flat"]),
    *map(Choice, ["short_round", "short_waved", "shaggy", "buzzcut", "elvis", "mowgli", "pixie"]),
    *map(Choice, ["pompadour", "quiff", "frizzle"]),
    Choice("none", 0.6),
    Choice("sides", 0.4),
    Choice("mohawk", 0.4),
    Choice("short_dreads_2", 0.7),
)
LONG_HAIR = (
    *map(Choice, ["bob", "bun", "curly", "curvy", "dreads", "fro", "long_not_too_long", "mia_wallace"]),
    *map(Choice, ["straight_1", "straight_strand", "loose_hair", "wild"]),
    Choice("shaggy_mullet", 0.6),
    Choice("fro_band", 0.6),
    Choice("braids", 0.6),
    Choice("cornrows", 0.6),
    Choice("dreadlocks", 0.6),
    Choice("half_shaved", 0.6),
    Choice("twist_long_hair", 0.6),
    Choice("twist_long_hair_2", 0.6),
)
HATS = (
    Choice("hat", 0.5),
    Choice("hijab", 0.6),
    Choice("turban", 0.6),
    Choice("winter_hat_1", 0.5),
    Choice("winter_hat_2", 0.5),
    Choice("winter_hat_3", 0.5),
    Choice("winter_hat_4", 0.5),
)

ATTRIBUTES: dict[str, tuple[Choice, ...]] = {
    "skin_color": SKINS,
    "hair": (*SHORT_HAIR, *LONG_HAIR, *HATS),
    "hair_color": HAIR_COLORS,
    "hat_color": CLOTHING_COLORS,
    "facial_hair": (
        Choice("none", 6.0),
        Choice("beard_light"),
        Choice("beard_medium"),
        Choice("beard_magestic", 0.6),
        Choice("moustache_fancy", 0.6),
        Choice("moustache_magnum", 0.6),
    ),
    "accessory": (
        Choice("none", 8.0),
        Choice("prescription_1", 0.6),
        Choice("prescription_2", 1.2),
        Choice("round", 1.2),
        Choice("sunglasses", 0.5),
        Choice("wayfarers", 0.5),
        Choice("kurt", 0.3),
    ),
    "eyes": (
        Choice("default", 4.0),
        Choice("happy"),
        Choice("side"),
        Choice("squint"),
        Choice("surprised"),
        Choice("wink", 0.6),
        Choice("closed", 0.4),
    ),
    "eyebrows": (
        Choice("default", 2.0),
        Choice("default_natural", 2.0),
        Choice("flat_natural"),
        Choice("raised_excited"),
        Choice("raised_excited_natural"),
        Choice("up_down", 0.6),
        Choice("up_down_natural", 0.6),
        Choice("angry_natural", 0.4),
        Choice("sad_concerned_natural", 0.4),
    ),
    "mouth": (
        Choice("smile", 2.5),
        Choice("default", 1.5),
        Choice("twinkle", 2.0),
        Choice("big_smile", 1.5),
        Choice("serious"),
        Choice("tongue", 0.6),
        Choice("disbelief", 0.4),
        Choice("sad", 0.4),
    ),
    "nose": (Choice("default", 2.0), Choice("small"), Choice("wide")),
    "clothing": (
        Choice("blazer_shirt"),
        Choice("blazer_sweater"),
        Choice("collar_sweater"),
        Choice("hoodie", 1.4),
        Choice("overall"),
        Choice("shirt_crew_neck", 1.6),
        Choice("shirt_scoop_neck", 1.2),
        Choice("shirt_v_neck", 1.2),
        Choice("shirt_wick", 0.4),
        Choice("bond_suit", 0.4),
    ),
    "clothing_color": CLOTHING_COLORS,
}

LABEL_NAMES: dict[str, tuple[str, ...]] = {
    attribute: tuple(choice.name for choice in choices) for attribute, choices in ATTRIBUTES.items()
}


def load_avatars(
    n: int = 8192,
    size: int = 64,
    seed: int = 0,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> ImageSet:
    """``n`` cartoon faces with labels, from the cache; rendered if they are not in it.

    Args:
        n: the number of faces.
        size: height and width, in pixels.
        seed: determines the faces; a larger set of the same seed and size begins with the smaller.
        cache_dir: where sets are kept; by default the user's cache folder.
        progress: show a progress bar while rendering (on a terminal only).

    Raises:
        ValueError: ``n`` or ``size`` is not positive, or ``seed`` is negative.
        ganjax.system.errors.UserError: the cache folder cannot be written.
    """
    _check(n, size, seed)

    def build(write: Write) -> Contents:
        labels = choose_parts(seed, n)
        for picture in _faces(labels, size, progress):
            write(picture[None])
        return Contents(labels, LABEL_NAMES)

    recipe = {"avatars": DRAWING, "n": n, "seed": seed}
    return cached("avatars", recipe, size, build, cache_dir)


def render_avatars(seed: int, n: int, size: int = 64, progress: bool = False) -> ImageSet:
    """The same faces as ``load_avatars``, in memory: the cache is not read or written."""
    _check(n, size, seed)
    labels = choose_parts(seed, n)
    images = np.stack(list(_faces(labels, size, progress)))
    return ImageSet(images, labels, LABEL_NAMES, fingerprint(images), "avatars")


def choose_parts(seed: int, n: int) -> dict[str, np.ndarray]:
    """The parts of the first ``n`` faces of ``seed``: attribute -> int32 (n,).

    A label is an index into ``LABEL_NAMES[attribute]``. Some labels cannot be seen: eyes behind sunglasses,
    hair colour under a hat, hat colour without a hat.
    """
    # Philox's raw bits are the same on every machine and with every NumPy; methods of Generator may differ.
    raw = np.random.Philox(key=seed).random_raw(n * len(ATTRIBUTES))
    uniform = (raw.reshape(n, len(ATTRIBUTES)) >> np.uint64(11)) * 2.0**-53
    labels = {}
    for column, (attribute, choices) in enumerate(ATTRIBUTES.items()):
        edges = np.cumsum([choice.weight for choice in choices])
        picks = np.searchsorted(edges[:-1] / edges[-1], uniform[:, column], side="right")
        labels[attribute] = picks.astype(np.int32)
    # Beards fit only short hair, hats and the turban: the other tops were drawn without them.
    short = labels["hair"] < len(SHORT_HAIR)
    hat = labels["hair"] >= len(SHORT_HAIR) + len(LONG_HAIR)
    hijab = labels["hair"] == LABEL_NAMES["hair"].index("hijab")
    labels["facial_hair"][~(short | (hat & ~hijab))] = 0
    return labels


def _check(n: int, size: int, seed: int) -> None:
    if n < 1 or size < 1:
        raise ValueError(f"n and size must be at least 1, got n={n}, size={size}")
    if not 0 <= seed < 2**128:
        raise ValueError(f"seed must be between 0 and 2**128 - 1, got {seed}")


def _faces(labels: dict[str, np.ndarray], size: int, progress: bool) -> Iterator[np.ndarray]:
    """The pictures of ``labels``, in order, each uint8 (size, size, 3)."""
    from tqdm import tqdm

    rows = np.stack([labels[attribute] for attribute in ATTRIBUTES], axis=1)
    disable = None if progress else True
    for row in tqdm(rows, desc="drawing faces", unit="face", disable=disable, leave=False):
        yield _face(dict(zip(ATTRIBUTES, row.tolist(), strict=True)), size)


def _face(label: dict[str, int], size: int) -> np.ndarray:
    choice = {attribute: ATTRIBUTES[attribute][label[attribute]] for attribute in ATTRIBUTES}
    hair = choice["hair_color"].color
    hatted = label["hair"] >= len(SHORT_HAIR) + len(LONG_HAIR)
    pile = [
        ("body", "", choice["skin_color"].color),
        ("clothing", choice["clothing"].name, choice["clothing_color"].color),
        *((part, choice[part].name, "") for part in ("mouth", "nose", "eyes", "eyebrows")),
        ("facial_hair", choice["facial_hair"].name, hair),
        ("hat", choice["hair"].name, choice["hat_color"].color)
        if hatted
        else ("top", choice["hair"].name, hair),
        ("accessory", choice["accessory"].name, ""),
    ]
    return layers.lay([layers.draw(*part, size) for part in pile if part[1] != "none"], size)
