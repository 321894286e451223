"""From a manifest back to the experiment that ran."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.experiments import EXPERIMENTS, Cartoon, OriginalToy, Ring
from ganjax.experiments.registry import restore
from ganjax.system.errors import UserError


def manifest_of(experiment):
    values = {"experiment": experiment.name, "settings": dataclasses.asdict(experiment)}
    return json.loads(json.dumps(values, default=str))


@pytest.mark.parametrize("kind", EXPERIMENTS.values())
def test_every_experiment_comes_back(kind):
    experiment = kind(seed=3, steps=7)
    assert restore(manifest_of(experiment)) == experiment


def test_its_pictures_may_lie_elsewhere_now():
    assert restore(manifest_of(Cartoon(data="there")), data="here") == Cartoon(data="here")
    with pytest.raises(UserError, match="generates its data itself"):
        restore(manifest_of(Ring()), data="here")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"experiment": "rings"}, "'rings', which this ganjax does not have"),
        ({"experiment": None}, "choose a run of cartoon"),
        ({"settings": [1]}, "does not have"),
        ({"settings": {}}, "'batch'"),
        ({"settings": dataclasses.asdict(OriginalToy()) | {"zeal": 1}}, "'zeal'"),
        ({"settings": dataclasses.asdict(OriginalToy()) | {"steps": 0}}, "--steps must be"),
        ({"settings": dataclasses.asdict(OriginalToy()) | {"steps": "9"}}, "--steps must be"),
    ],
)
def test_what_this_ganjax_cannot_run_is_said(change, words):
    with pytest.raises(UserError, match=words):
        restore(manifest_of(OriginalToy()) | change)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from([field.name for field in dataclasses.fields(Ring)]), JSON)
def test_any_value_of_a_setting_is_taken_or_refused(name, value):
    manifest = manifest_of(Ring())
    manifest["settings"][name] = value
    try:
        experiment = restore(manifest)
    except UserError:
        return
    assert getattr(experiment, name) == value
