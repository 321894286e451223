"""The layers of a face, put over one another, are like the drawing by python-avatars."""

import io

import numpy as np
import pytest
from PIL import Image

from ganjax.datasets import avatar_layers as layers
from ganjax.datasets.avatars import ATTRIBUTES, HATS


def whole_drawing(size: int, **parts) -> np.ndarray:
    """A face drawn by python-avatars and resvg as one SVG."""
    import python_avatars as pa
    import resvg_py

    avatar = pa.Avatar(
        skin_color="#D08B5B",
        hair_color="#A55728",
        clothing_color="#FF5C5C",
        top=pa.HairType.SHORT_FLAT,
        clothing=pa.ClothingType.HOODIE,
        mouth=pa.MouthType.SMILE,
        nose=pa.NoseType.WIDE,
        eyes=pa.EyeType.HAPPY,
        eyebrows=pa.EyebrowType.UP_DOWN,
        accessory=pa.AccessoryType.ROUND,
    )
    left, top, side = layers.CROP
    svg = avatar.render().replace(
        'width="264px" height="280px" viewBox="0 0 264 280"',
        f'width="{side}px" height="{side}px" viewBox="{left} {top} {side} {side}"',
    )
    background = "#{:02x}{:02x}{:02x}".format(*layers.BACKGROUND)
    png = resvg_py.svg_to_bytes(svg_string=svg, width=4 * size, background=background)
    image = Image.open(io.BytesIO(bytes(png))).convert("RGB")
    return np.asarray(image.resize((size, size), Image.Resampling.BOX), np.float32)


def test_layers_together_are_the_whole_drawing():
    pile = [
        ("body", "", "#D08B5B"),
        ("clothing", "hoodie", "#FF5C5C"),
        ("mouth", "smile", ""),
        ("nose", "wide", ""),
        ("eyes", "happy", ""),
        ("eyebrows", "up_down", ""),
        ("top", "short_flat", "#A55728"),
        ("accessory", "round", ""),
    ]
    laid = layers.lay([layers.draw(*part, 64) for part in pile], 64)
    assert laid.dtype == np.uint8
    off = np.abs(laid - whole_drawing(64))
    assert off.mean() < 1.5  # they differ at edges, by less than can be seen
    assert np.quantile(off, 0.99) < 40


@pytest.mark.parametrize("part", ["clothing", "mouth", "nose", "eyes", "eyebrows", "accessory"])
def test_every_part_that_can_be_chosen_can_be_drawn(part):
    for choice in ATTRIBUTES[part]:
        if choice.name != "none":
            layer = layers.draw(part, choice.name, "#FF0000", 16)
            assert layer.transparency.size
            assert layer.transparency.min() < 0.97, choice.name


def test_every_hair_beard_and_hat_has_the_chosen_colour():
    hats = {choice.name for choice in HATS}
    tops = [("hat" if c.name in hats else "top", c.name) for c in ATTRIBUTES["hair"]]
    beards = [("facial_hair", c.name) for c in ATTRIBUTES["facial_hair"]]
    for part, name in [*tops, *beards]:
        if name == "none":
            continue
        green = layers.draw(part, name, "#00FF00", 16).color
        reddish = layers.draw(part, name, "#FF0000", 16).color
        assert green[..., 1].sum() > reddish[..., 1].sum() + 200, name
