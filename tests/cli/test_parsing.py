"""From words to dataclasses, and what is said of words that do not fit."""

import dataclasses
from pathlib import Path
from typing import Literal

import pytest

from ganjax.cli.parsing import choose, parse
from ganjax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Form:
    """A form to fill in.

    $ form --count 3
    """

    count: int = 1
    """How many."""
    rate: float = 0.5
    """How fast."""
    loud: bool = False
    """Say more."""
    size: Literal[8, 16] = 8
    """How large."""
    data: str | None = None
    """What from."""
    out: Path | None = None
    """Where to."""


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


def test_without_words_the_defaults_stand():
    assert filled() == Form()


def test_every_flag_arrives_with_its_type():
    words = "--count 3 --rate 1e-3 --loud --size 16 --data a.zip --out b/c"
    assert filled(*words.split()) == Form(3, 1e-3, True, 16, "a.zip", Path("b/c"))
    assert filled("--data", "None") == Form(data="None")  # a file may be called so


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("--count x", ["--count", "'x'"]),
        ("--count 1.5", ["--count", "'1.5'"]),
        ("--count", ["--count", "Missing value"]),
        ("--size 9", ["--size", "'9'", "'8', '16'"]),
        ("--cuont 3", ["--cuont", "perhaps you meant --count INT"]),
        ("--lould", ["--lould", "perhaps you meant --loud"]),
        ("3", ["Unrecognized", "3"]),
        ("--loud yes", ["Unrecognized", "yes"]),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(words, parts):
    message = refusal(*words.split())
    for part in parts:
        assert part in message


def test_help_shows_the_example_every_flag_and_its_default(capsys):
    with pytest.raises(SystemExit) as ended:
        filled("--help")
    assert ended.value.code in (0, None)
    said = capsys.readouterr().out
    assert "\n$ form --count 3\n" in said
    for field in dataclasses.fields(Form):
        assert f"--{field.name}" in said
    for part in ("How many. (default: 1)", "--data STR", "--out PATH", "(default: none)", "{8,16}"):
        assert part in said


def test_choose_takes_a_name_and_suggests_the_nearest():
    assert choose("ring", ["ring", "grid"], "experiment") == "ring"
    with pytest.raises(UserError, match="there is no experiment 'rnig': did you mean ring\\?"):
        choose("rnig", ["grid", "ring"], "experiment")
    with pytest.raises(UserError, match="choose from grid, ring"):
        choose("xyz", ["grid", "ring"], "experiment")
