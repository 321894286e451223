"""From the command line to dataclasses, and messages for invalid words."""

import dataclasses
import io
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import pytest

from ganjax.cli.parsing import NARROW, choose, parse
from ganjax.experiments.ranges import Range
from ganjax.system.errors import UserError


@dataclasses.dataclass(frozen=True)
class Form:
    """A form to fill in.

    $ form --count 3
    """

    count: int = 1
    """How many."""
    rate: Annotated[float, Range(0, 1, "[)")] = 0.5
    """How fast."""
    loud: bool = False
    """Say more."""
    size: Literal[8, 16] = 8
    """How large."""
    data: str | None = None
    """What from."""
    out: Path | None = None
    """Where to."""
    most: Annotated[int | None, Range(1, 9)] = None
    """How many at most."""


def filled(*words):
    return parse(Form, words, "form")


def refusal(*words):
    with pytest.raises(UserError) as caught:
        filled(*words)
    message = str(caught.value)
    assert "\n" not in message
    assert not set("│╭╮╰╯─") & set(message)
    assert message.endswith("(see form --help)")
    return message


def test_without_words_there_are_the_defaults():
    assert filled() == Form()


def test_every_flag_arrives_with_its_type():
    words = "--count 3 --rate 1e-3 --loud --size 16 --data a.zip --out b/c --most 5"
    assert filled(*words.split()) == Form(3, 1e-3, True, 16, "a.zip", Path("b/c"), 5)
    assert filled("--data", "None") == Form(data="None")  # a file may be called so


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("--count x", ["--count", "'x'"]),
        ("--most x", ["--most", "'x'"]),
        ("--count 1.5", ["--count", "'1.5'"]),
        ("--count", ["--count", "Missing value"]),
        (f"--count {'x' * 120}", ["--count", "x" * 120]),  # not broken in two
        ("--size 9", ["--size", "'9'", "'8', '16'"]),
        ("--cuont 3", ["--cuont", "perhaps you meant --count INT"]),
        ("--lould", ["--lould", "perhaps you meant --loud"]),
        ("3", ["Unrecognized", "3"]),
        ("--loud yes", ["Unrecognized", "yes"]),
    ],
)
def test_invalid_words_are_reported_in_one_line(words, parts):
    message = refusal(*words.split())
    for part in parts:
        assert part in message


FRAMES = set("│╭╮╰╯─")


@pytest.mark.parametrize("columns", [None, "20", "200"])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_messages_depend_neither_on_the_terminal_nor_on_its_encoding(monkeypatch, columns, encoding):
    expected = refusal("--cuönt", "3")
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding))
    assert refusal("--cuönt", "3") == expected
    assert os.environ.get("COLUMNS") == columns


@pytest.mark.parametrize("columns", [20, 30, NARROW - 1])
def test_in_a_narrow_terminal_flags_are_above_their_help(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit) as ended:
        filled("--help")
    assert ended.value.code in (0, None)
    lines = capsys.readouterr().out.splitlines()
    assert not FRAMES & set("".join(lines))
    assert max(map(len, lines)) <= columns
    for flag in ("--count INT", "--rate FLOAT", "--loud", "--size {8,16}", "--data STR"):
        assert lines[lines.index(flag) + 1].startswith("  ")
    assert "$ form --count 3" in lines
    assert "How fast. (default: 0.5; in [0, 1))" in " ".join(line.strip() for line in lines)


def test_in_a_wide_terminal_help_has_frames(monkeypatch):
    monkeypatch.setenv("COLUMNS", str(NARROW))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))
    with pytest.raises(SystemExit):
        filled("--help")
    sys.stdout.seek(0)
    said = sys.stdout.read()
    assert set(said) >= FRAMES
    assert max(map(len, said.splitlines()[1:])) <= NARROW  # usage is one line


def test_help_shows_the_example_every_flag_and_its_default(capsys):
    with pytest.raises(SystemExit) as ended:
        filled("--help")
    assert ended.value.code in (0, None)
    said = capsys.readouterr().out
    assert "\n$ form --count 3\n" in said
    for field in dataclasses.fields(Form):
        assert f"--{field.name}" in said
    assert "How fast. (default: 0.5; in [0, 1))" in said
    assert "How many at most. (default: none; in [1, 9])" in said
    for part in (
        "How many. (default: 1)",
        "--data STR",
        "--out PATH",
        "--most INT",
        "(default: none)",
        "{8,16}",
    ):
        assert part in said


def test_choose_takes_a_name_and_suggests_the_nearest():
    assert choose("ring", ["ring", "grid"], "experiment") == "ring"
    with pytest.raises(UserError, match="there is no experiment 'rnig': did you mean ring\\?"):
        choose("rnig", ["grid", "ring"], "experiment")
    with pytest.raises(UserError, match="choose from grid, ring"):
        choose("xyz", ["grid", "ring"], "experiment")
