"""Where the time of a run goes."""

import pytest

from ganjax.system import progress as module
from ganjax.system.progress import Clock


@pytest.fixture
def ticks(monkeypatch):
    """The instants the clock reads, one a reading."""
    instants = iter([10.0, 10.5, 20.0, 22.0, 30.0, 30.25])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(instants))


def test_phases_add_up_and_a_watch_knows_its_own(ticks):
    clock = Clock()
    with clock("steps") as first:
        pass
    with clock("steps") as second:
        pass
    with clock("pictures"):
        pass
    assert (first.seconds, second.seconds) == (0.5, 2.0)
    assert clock.seconds == {"steps": 2.5, "pictures": 0.25}


def test_time_counts_also_when_the_block_raises(ticks):
    clock = Clock()
    with pytest.raises(RuntimeError), clock("steps"):
        raise RuntimeError
    assert clock.seconds == {"steps": 0.5}
