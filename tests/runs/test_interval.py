"""Intervals of seconds or steps."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.runs.interval import Interval, IntervalTimer
from ganjax.system.errors import UserError


@given(st.integers(1, 999_999_999), st.sampled_from(["", " "]))
def test_what_is_written_is_read(number, space):
    assert Interval.parse(f"{number}{space}s") == Interval(seconds=number)
    assert Interval.parse(f"{number}{space}steps") == Interval(steps=number)


@pytest.mark.parametrize(
    "text", ["0s", "-1s", "1.5s", "s", "60", "60m", "60s ", "1e3steps", "٣s", "9" * 10 + "s"]
)
def test_all_else_is_refused(text):
    with pytest.raises(UserError, match="60s"):
        Interval.parse(text)


@given(st.text())
def test_any_text_is_an_interval_or_refused_in_one_line(text):
    said, interval = "one line", Interval(seconds=1)
    try:
        interval = Interval.parse(text)
    except UserError as error:
        said = str(error)
    assert len(said.splitlines()) == 1
    assert (interval.seconds > 0) != (interval.steps > 0)


def test_steps_are_counted_from_the_runs_first():
    timer = IntervalTimer(Interval(steps=3))
    assert [step for step in range(1, 10) if timer.due(step)] == [3, 6, 9]


def test_seconds_are_the_monotonic_clocks_and_begin_anew(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "time", lambda: -1e9 * now)  # set back again and again
    timer, due = IntervalTimer(Interval(seconds=60)), []
    for step in range(12):
        now = 100.0 + 25 * step
        if timer.due(step):
            due.append(now)
    assert due == [175, 250, 325]
