"""What is said to the user is one line, whatever is quoted in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.system.errors import DamagedError, UserError, one_line


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
