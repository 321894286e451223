"""Messages are one line whatever they quote, and say what could not be written."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.system.errors import DamagedError, UserError, one_line, writing


@pytest.mark.parametrize("kind", [UserError, DamagedError])
def test_a_message_is_one_line(kind):
    assert (
        str(kind("its data are\r None,\n\tand\x1b[2J these are 'ü'"))
        == r"its data are None, and\x1b[2J these are 'ü'"
    )


@given(st.text())
def test_any_text_becomes_printable_and_stays_so(text):
    line = one_line(text)
    assert line.isprintable()
    assert one_line(line) == line
    assert line.replace(" ", "") or not text.strip()


def raising(error):
    with writing(Path("a/b.png")):
        raise error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (FileExistsError(17, "File exists", "a"), "File exists"),
        (OSError("the disk is gone"), "the disk is gone"),
    ],
)
def test_writing_names_the_path_and_the_flag(error, reason):
    with pytest.raises(UserError) as caught:
        raising(error)
    assert str(caught.value) == f"cannot write to a/b.png: {reason}; choose another --out"


def test_writing_lets_other_errors_pass():
    for error in (UserError("points"), ZeroDivisionError()):
        with pytest.raises(type(error)) as caught:
            raising(error)
        assert caught.value is error


def test_writing_keeps_what_was_written(tmp_path):
    with writing(tmp_path):
        (tmp_path / "a").write_text("a")
    assert (tmp_path / "a").read_text() == "a"
