import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.step_breakdown import command, pieces
from benchmarks.throughput.gan import EPSILON, make_gan
from benchmarks.throughput.results import Spread
from benchmarks.throughput.workloads import WORKLOADS
from ganjax.system.errors import UserError

ROOT = Path(__file__).parents[3]


def test_every_round_times_every_program(monkeypatch):
    """Programs of 1 and 3 ms: as many calls as take 0.1 s; each round starts with the next program."""
    asked = []

    def runner(name, seconds):
        return lambda steps: asked.append((name, steps)) or steps * seconds

    found = command._rounds({"a": runner("a", 0.001), "b": runner("b", 0.003)}, 3, 0.1)
    assert asked[-6:] == [("a", 100), ("b", 33), ("b", 33), ("a", 100), ("a", 100), ("b", 33)]
    assert found == [{"a": pytest.approx(0.001), "b": pytest.approx(0.003)}] * 3


def test_a_population_is_measured():
    found, operations = command.measure(WORKLOADS["ring-16-x4"], "float32", rounds=2, seconds=0.001)
    assert list(found) == [*pieces.PIECES, pieces.WHOLE]  # without normalisation
    assert found[pieces.WHOLE].low > 0
    single = WORKLOADS["ring-16-x1"]
    gan = make_gan(vars(single) | {"epsilon": EPSILON}, *single.networks("float32"))
    one = pieces.operations(gan, single.batch)
    assert operations == {piece: 4 * count for piece, count in one.items()}


TIMES = {
    "G forward": Spread(0.010, 0.009, 0.012),
    "call, latents": Spread(-0.0005, -0.002, 0.001),
    pieces.WHOLE: Spread(0.020, 0.019, 0.030),
}


def test_table():
    assert command.table(TIMES, {"G forward": 5_000_000_000}) == [
        ["G forward", "10.0", "9.00", "12.0", "50%", "5.00", "500"],
        ["call, latents", "-0.500", "-2.00", "1.00", "-2%", "", ""],
        [pieces.WHOLE, "20.0", "19.0", "30.0", "100%", "", ""],
    ]


def test_picture(tmp_path):
    path = command.draw(TIMES, "a title", tmp_path / "pieces.png")
    pixels = np.asarray(Image.open(path).convert("RGB"))
    assert pixels.std() > 5
    assert path.stat().st_size < 100_000


def test_the_error_without_a_gpu():
    command.check_device("cpu")
    with pytest.raises(UserError, match="JAX finds no GPU, only the CPU"):
        command.check_device("gpu")


@pytest.mark.parametrize(
    "words", [[], ["nothing"], ["ring-16", "--rounds", "0"], ["ring-16", "--seconds", "0"]]
)
def test_bad_arguments(words, capsys):
    with pytest.raises(SystemExit) as caught:
        command.main(words)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


# The command takes the flags of XLA away, so that what it times is optimised; here they come back just before
# JAX starts, since optimising would take most of this test's time.
PROGRAM = """
import os, sys
from benchmarks.step_breakdown import command
flags, check = os.environ["XLA_FLAGS"], command.check_device
def check_and_compile_quickly(device):
    assert "XLA_FLAGS" not in os.environ
    os.environ["XLA_FLAGS"] = flags
    check(device)
command.check_device = check_and_compile_quickly
command.main(sys.argv[1:])
"""


def test_the_command_writes_table_and_picture(tmp_path):
    words = ["original-toy", "--rounds", "1", "--seconds", "0.001", "--out", str(tmp_path / "out")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]])}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out" / "step-breakdown-original-toy.md").read_text()
    for piece in (*pieces.PIECES, pieces.WHOLE):
        assert f"| {piece} |" in text
        assert piece in done.stdout
    assert "step-breakdown original-toy --rounds 1 --seconds 0.001\n" in text
    assert str(tmp_path) not in text
    assert (tmp_path / "out" / "step-breakdown-original-toy.png").stat().st_size > 1000
