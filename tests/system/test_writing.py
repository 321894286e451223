"""What cannot be written is said with a way out; what else goes wrong is not mistaken for it."""

from pathlib import Path

import pytest

from ganjax.system.errors import UserError, writing


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
def test_what_cannot_be_written_names_the_place_and_the_flag(error, reason):
    with pytest.raises(UserError) as caught:
        raising(error)
    assert str(caught.value) == f"cannot write to a/b.png: {reason}; choose another --out"


def test_other_mistakes_pass():
    for error in (UserError("points"), ZeroDivisionError()):
        with pytest.raises(type(error)) as caught:
            raising(error)
        assert caught.value is error


def test_what_was_written_stays(tmp_path):
    with writing(tmp_path):
        (tmp_path / "a").write_text("a")
    assert (tmp_path / "a").read_text() == "a"
