"""Every target for a second or two, and what happens with a finding."""

import os
import time

import pytest
from hypothesis import strategies as st

from ganjax.system.errors import UserError

from . import __main__ as command
from . import unattended
from .exploring import Link, Stuck, Tally, Target, explore, read
from .targets import TARGETS


@pytest.mark.filterwarnings("ignore")  # about the inputs
@pytest.mark.parametrize("name", TARGETS)
def test_a_target_reads_or_refuses_every_input(name, tmp_path):
    tally = Tally()
    explore(TARGETS[name], tmp_path, seed=0, inputs=60, tally=tally)
    assert tally.values + tally.refusals >= 60
    assert tally.values > 0
    assert tally.refusals > 0 or name == "cache"  # which is built again instead


def numbers():
    return st.fixed_dictionaries({b"number": st.integers(0, 2000).map(lambda n: b"%d" % n)})


def no_more_than_a_thousand(folder, scratch):
    number = int((folder / "number").read_text())
    if number > 1000:
        raise ZeroDivisionError
    if number > 500:
        raise UserError("too much")


def test_the_smallest_input_that_raises_is_left(tmp_path):
    target, tally = Target("numbers", numbers, no_more_than_a_thousand), Tally()
    with pytest.raises(ZeroDivisionError):
        explore(target, tmp_path, seed=0, inputs=100, tally=tally)
    assert (tmp_path / "input" / "number").read_text() == "1001"
    assert tally.values > 0
    assert tally.refusals > 0


class Complaint(UserError):
    def __str__(self):
        return "this\nand that"


def test_a_message_of_two_lines_is_a_finding(tmp_path):
    def complain(folder, scratch):
        raise Complaint("this and that")

    with pytest.raises(AssertionError, match="more than one line"):
        explore(Target("numbers", numbers, complain), tmp_path, seed=0, inputs=1, tally=Tally())


def test_a_reader_that_does_not_end_is_a_finding(tmp_path, monkeypatch):
    def forever(folder, scratch):
        while True:
            time.process_time()

    monkeypatch.setattr("fuzz.exploring.SECONDS", 0.1)
    with pytest.raises(Stuck):
        explore(Target("numbers", numbers, forever), tmp_path, seed=0, inputs=1, tally=Tally())


def test_an_input_may_contain_links_and_names_of_any_bytes(tmp_path):
    given = {b"d/\xff\n": b"content", b"link": Link(b"d")}
    seen = []

    def look(folder, scratch):
        seen.extend(sorted(os.listdir(os.fsencode(folder))) + os.listdir(os.fsencode(folder / "link")))

    explore(Target("any", lambda: st.just(given), look), tmp_path, seed=0, inputs=1, tally=Tally())
    assert seen == [b"d", b"link", b"\xff\n"]


def test_the_command_counts_and_exits_with_0(tmp_path, capfd):
    assert command.main(["cache", "--minutes", "0.001", "--seed", "3", "--findings", str(tmp_path)]) == 0
    out = capfd.readouterr().out
    assert "seed 3" in out
    assert "cache" in out
    assert "0 refusals" in out
    assert list(tmp_path.iterdir()) == []


def test_a_finding_is_saved_can_be_read_again_and_exits_with_1(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(unattended, "_read", _die)
    findings = tmp_path / "findings"
    assert command.main(["zip", "--minutes", "0.01", "--findings", str(findings)]) == 1
    out = capfd.readouterr().out
    assert "the process died of it (exit code -9)" in out
    assert f"again: python -m tests.fuzz zip --input {findings / 'zip-0'}" in out
    assert (findings / "zip-0" / "archive").read_bytes() == b"what it was reading"
    assert command.main(["zip", "--input", str(findings / "zip-0")]) == 0
    assert "refused in one line" in capfd.readouterr().out
    assert read(TARGETS["zip"], _work(tmp_path, b"")) is False


def _die(name, seconds, seed, work, counts):
    (work / "input" / "archive").write_bytes(b"what it was reading")
    os.kill(os.getpid(), 9)


def _work(folder, content):
    (folder / "input").mkdir()
    (folder / "input" / "archive").write_bytes(content)
    return folder


def test_unknown_targets_are_named(capsys):
    with pytest.raises(SystemExit) as end:
        command.main(["zap"])
    assert end.value.code == 2
    assert "there is no target zap" in capsys.readouterr().err
