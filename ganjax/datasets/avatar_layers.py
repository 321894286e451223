"""The parts of a cartoon face, each drawn once, as layers that are put over one another.

A face is a stack of transparent layers: body, clothing, mouth, nose, eyes, eyebrows, facial hair, hair or
hat, glasses. python-avatars has the shapes, and resvg draws them. Each layer is drawn once for each of its
colours and reused, so a face costs a few small array operations. As each part is an SVG of its own, ids in
different parts cannot collide.
"""

from __future__ import annotations

import io
from functools import cache
from itertools import pairwise
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

# The part of the 264 x 280 drawing that is shown: left, top, side. The head is 112 wide.
CROP = (24.0, 8.0, 216.0)
BACKGROUND = (222, 233, 245)
# Enough for smooth edges; more would only take longer.
SUPERSAMPLING = 2


class Layer(NamedTuple):
    """One drawn part, at its place in the picture.

    ``over = color + transparency * under`` within ``rows`` and ``columns``; both float32, ``color``
    (height, width, 3) in 0..255 and already multiplied by its opacity, ``transparency``
    (height, width, 1) in 0..1.
    """

    rows: slice
    columns: slice
    color: np.ndarray
    transparency: np.ndarray


def lay(layers: list[Layer], size: int) -> np.ndarray:
    """The picture, uint8 (size, size, 3), of ``layers`` put over the background in this order."""
    canvas = np.empty((size, size, 3), np.float32)
    canvas[:] = BACKGROUND
    for layer in layers:
        under = canvas[layer.rows, layer.columns]
        under *= layer.transparency
        under += layer.color
    return (canvas + np.float32(0.5)).astype(np.uint8)


@cache
def draw(part: str, style: str, color: str, size: int) -> Layer:
    """The layer of one part.

    Args:
        part: ``body`` or a field of ``python_avatars.Avatar``: ``clothing``, ``mouth``, ``nose``,
            ``eyes``, ``eyebrows``, ``facial_hair``, ``top``, ``accessory``; ``hat`` for a top
            that is a hat.
        style: its python-avatars name, in lower case; ignored for ``body``.
        color: ``#RRGGBB``, for the parts that have a choice of colours.
        size: height and width of the whole picture, in pixels.
    """
    import resvg_py
    from PIL import Image

    side = size * SUPERSAMPLING
    png = resvg_py.svg_to_bytes(
        svg_string=_svg(part, style, color), width=side, height=side, skip_system_fonts=True
    )
    with Image.open(io.BytesIO(bytes(png))) as image:
        # Colours are weighted by opacity: those of transparent pixels mean nothing.
        rgba = np.asarray(image.convert("RGBA"), np.float32)
    opacity = rgba[..., 3:] / np.float32(255)
    drawn = np.concatenate([rgba[..., :3] * opacity, opacity], axis=-1)
    drawn = drawn.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING, 4).mean(axis=(1, 3))
    rows, columns = (_extent(drawn[..., 3].any(axis=axis)) for axis in (1, 0))
    drawn = drawn[rows, columns]
    return Layer(rows, columns, drawn[..., :3].copy(), 1 - drawn[..., 3:])


def _extent(touched: np.ndarray) -> slice:
    places = np.flatnonzero(touched)
    return slice(places[0], places[-1] + 1) if len(places) else slice(0, 0)


def _svg(part: str, style: str, color: str) -> str:
    """The SVG of one part, from python-avatars; for ``body``, the body without any other part."""
    import python_avatars as pa

    kinds = {
        "clothing": pa.ClothingType,
        "mouth": pa.MouthType,
        "nose": pa.NoseType,
        "eyes": pa.EyeType,
        "eyebrows": pa.EyebrowType,
        "facial_hair": pa.FacialHairType,
        "top": pa.HairType,
        "hat": pa.HatType,
        "accessory": pa.AccessoryType,
    }
    bare = dict.fromkeys(("clothing", "mouth", "nose", "eyes", "eyebrows", "facial_hair", "accessory"), "")
    chosen = {} if part == "body" else {part: kinds[part][style.upper()]}
    if "hat" in chosen:
        chosen["top"] = chosen.pop("hat")
    # python-avatars draws beards and glasses only with a top: here, the one without hair.
    on_head = part in ("facial_hair", "accessory")
    avatar = pa.Avatar(
        **{
            **bare,
            "top": pa.HairType.NONE if on_head else "",
            "skin_color": color,
            "hair_color": color,
            "facial_hair_color": color,
            "hat_color": color,
            "clothing_color": color,
            "shirt_graphic": "",
            **chosen,
        }
    )
    drawing = ElementTree.fromstring(avatar.render())
    left, top, side = CROP
    drawing.set("viewBox", f"{left} {top} {side} {side}")
    drawing.set("width", f"{side}px")
    drawing.set("height", f"{side}px")
    if part != "body":
        for group in drawing.iter():
            for child in list(group):
                if child.get("id", "").endswith("_Body"):
                    group.remove(child)
    if color:
        _dye_undercoats(drawing, color)
    return ElementTree.tostring(drawing, encoding="unicode")


def _dye_undercoats(drawing: ElementTree.Element, color: str) -> None:
    """Give the shape below a coloured one the same colour.

    python-avatars draws a coloured part as a masked colour over the same shape in grey. At the edge, where
    both cover only a part of a pixel, the grey would be visible as a dark outline.
    """
    for group in drawing.iter():
        for undercoat, dyed in pairwise(list(group)):
            if (
                undercoat.tag.endswith("}use")
                and dyed.get("id", "").endswith(("Hair-Color", "Fabric-Color", "Skin-Color"))
                and dyed.get("fill", "").upper() == color.upper()
            ):
                undercoat.set("fill", color)
