"""A run that is trained again has the same digests, and the first difference is found."""

import dataclasses

import jax
import numpy as np
import pytest
import small_runs

from ganjax.draws import draw
from ganjax.system.errors import UserError
from ganjax.training import chunks
from ganjax.training.reproduce import Comparison, Expected, expected_of, reproduce


def reproduced(folder, experiment, steps=None, **changes):
    manifest = folder.read_manifest() | changes
    return list(reproduce(experiment, manifest, expected_of(manifest, folder, steps)))


@pytest.mark.parametrize(
    ("folder", "experiment", "steps"),
    [("dots", small_runs.Dots(), [0, 1, 2, 5, 10, 12]), ("tiles", small_runs.Tiles(), [0, 1, 2, 3])],
)
def test_a_run_comes_out_the_same(request, folder, experiment, steps):
    found = reproduced(request.getfixturevalue(folder), experiment)
    assert found == [Comparison(step, True, None) for step in steps]


def test_it_stops_where_it_is_told_to(dots):
    assert [found.step for found in reproduced(dots, small_runs.Dots(), steps=9)] == [0, 1, 2, 5]


def test_other_noise_is_found_in_the_first_step(dots, monkeypatch):
    monkeypatch.setattr(chunks, "draw", lambda gan, key, *rest: draw(gan, jax.random.key(99), *rest))
    found = reproduced(dots, small_runs.Dots())
    assert [comparison.identical for comparison in found] == [True] + 5 * [False]
    assert 0 < found[1].largest < np.inf
    # Only what the step has moved differs: the key and the step itself do not.
    assert found[1].differences["key"] == found[1].differences["step"] == 0
    assert found[1].differences["generator/params/0"] > 0


def test_without_the_folder_only_digests_are_known(dots):
    manifest = dots.read_manifest()
    manifest["digests"]["5"] = "another digest"
    expected = expected_of(manifest, None, None)
    assert expected.witnesses == {}
    found = list(reproduce(small_runs.Dots(), manifest, expected))
    assert found[3] == Comparison(5, False, None)
    assert found[3].largest is None
    assert all(comparison.identical for comparison in found[:3] + found[4:])


def test_another_run_or_other_data_are_refused(dots):
    with pytest.raises(UserError, match="its seed is 0, not 1"):
        reproduced(dots, small_runs.Dots(seed=1))
    with pytest.raises(UserError, match="its data are"):
        reproduced(dots, small_runs.Dots(), data={"name": "another ring"})


@pytest.mark.parametrize(
    "digests", [{}, None, [], 3, {"first": "a"}, {"1": 2, "x": 3}], ids=lambda digests: str(digests)
)
def test_without_digests_there_is_nothing_to_compare_with(digests):
    with pytest.raises(UserError, match="nothing to compare with"):
        expected_of({"digests": digests}, None, None)


def test_a_checkpoint_of_another_network_is_no_witness(dots):
    manifest = dots.read_manifest()
    manifest["digests"]["0"] = "another digest"
    expected = Expected({0: "another digest"}, {0: np.zeros((3, 64), np.float32)})
    with pytest.raises(UserError, match="another network"):
        list(reproduce(small_runs.Dots(), manifest, expected))


def test_the_largest_difference_is_over_all_arrays():
    comparison = Comparison(1, False, {"a": 0.5, "b": 2.0})
    assert comparison.largest == 2.0
    assert dataclasses.replace(comparison, identical=True).largest == 0.0


@pytest.mark.parametrize(
    ("identical", "differences", "tolerance", "accepted"),
    [
        (True, None, 0.0, True),
        (True, None, 0.1, True),
        (False, {"a": 0.0}, 0.0, False),  # in values that no witness holds
        (False, {"a": 0.0}, 0.1, True),
        (False, {"a": 0.1}, 0.1, True),
        (False, {"a": 0.2}, 0.1, False),
        (False, {"a": float("inf")}, 0.1, False),
        (False, None, 0.1, False),
    ],
)
def test_what_is_accepted(identical, differences, tolerance, accepted):
    assert Comparison(1, identical, differences).within(tolerance) is accepted
