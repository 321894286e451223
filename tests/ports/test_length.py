"""A port is short: what its author writes with ganjax, without the networks, is at most 40 lines."""

import ast
from pathlib import Path

import pytest

MOST = 40
PORTS = [path for path in sorted(Path(__file__).parent.glob("test_*.py")) if path != Path(__file__)]
NAMES = {"dcgan_label_noise", "wgan_gp", "conditional_gan", "ada", "cyclegan", "pix2pix", "acgan", "stylegan"}


def training_code(path):
    """The lines between two headings, without blank ones."""
    _, after = path.read_text().split("# The port.\n")
    port, _ = after.split("# The same by hand")
    return [line for line in port.splitlines() if line.strip()]


def test_every_port_is_there():
    assert {path.stem.removeprefix("test_") for path in PORTS} == NAMES


@pytest.mark.parametrize("path", PORTS, ids=lambda path: path.stem)
def test_training_code_is_short(path):
    assert len(training_code(path)) <= MOST


@pytest.mark.parametrize("path", PORTS, ids=lambda path: path.stem)
def test_a_port_names_its_source(path):
    assert any(year in ast.get_docstring(ast.parse(path.read_text())) for year in map(str, range(2014, 2027)))
