"""Colours that differ also differ in greyscale."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from ganjax.viewing import style


def lightness(colour):
    """CIE L*, 0 to 100, of an sRGB colour."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return 116 * np.cbrt(luminance) - 16


def test_real_and_generated_differ_in_lightness():
    assert lightness(style.GENERATED) - lightness(style.REAL) > 20


def test_the_landscape_gets_darker_and_stays_lighter_than_the_points():
    low, middle, high = map(lightness, style.LANDSCAPE)
    assert low - middle > 4
    assert middle - high > 10
    assert high - lightness(style.REAL) > 20


@pytest.mark.parametrize("rows", [1, 3])
def test_stacked_axes_share_the_x_axis(rows):
    axes = style.stacked_axes(4, 4, rows)
    assert len(axes) == rows
    axes[0].set_xlim(3, 7)
    assert axes[-1].get_xlim() == (3, 7)
