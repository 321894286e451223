"""The command in a manifest trains the run it stands in."""

import dataclasses
import shlex

import pytest
import small_runs

from ganjax.cli.parsing import parse
from ganjax.experiments import EXPERIMENTS, OriginalToy, Ring
from ganjax.runs.manifest import command_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fancy(small_runs.Dots):
    data: str | None = None
    flip: bool = False
    mirror: bool = True
    widths: tuple[int, ...] = (2, 3)


def test_defaults_need_no_flag():
    assert command_of(Ring()) == "ganjax train ring"


def test_a_population_is_named_by_its_seeds():
    assert command_of(Ring(seed=4, steps=5), range(3, 8)) == "ganjax train ring --seeds 3:8 --steps 5"


@pytest.mark.parametrize(
    "experiment",
    [
        Ring(seed=3, learning_rate=1 / 3, log_every=7),
        OriginalToy(picture_every=0),
        Fancy(data="my 'own' pictures; rm -rf $HOME", flip=True, mirror=False, widths=(4, 5, 6)),
    ],
)
def test_parsed_again_it_is_the_same_experiment(experiment):
    program, command, name, *words = shlex.split(command_of(experiment))
    assert (program, command, name) == ("ganjax", "train", experiment.name)
    assert parse(EXPERIMENTS.get(name, type(experiment)), words, "ganjax train") == experiment
