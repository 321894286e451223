import numpy as np
import pytest

from benchmarks.throughput.same_work import NOISE, TOLERANCES, Checked, compare

STEPS = 4


def arrays(**changes):
    """One seed of a network whose trained weights and statistics have changed from 1 to 2."""
    return {
        "losses": np.full((1, STEPS, 2), 0.5, np.float32),
        "generator/0": np.full((1, 3), 2.0, np.float32),
        "generator/1": np.full((1, 2), 2.0, np.float32),
    } | {name.replace("_", "/"): value for name, value in changes.items()}


def checked(**perturbed):
    initial = {"generator/0": np.ones((1, 3), np.float32), "generator/1": np.ones((1, 2), np.float32)}
    return Checked(arrays(), arrays(**perturbed), initial, {"generator": 1}, "float32")


def losses(*relative):
    return np.float32(0.5) * (1 + np.array(relative, np.float32))[None, :, None] * np.ones((1, STEPS, 2))


def test_equal_results_are_comparable():
    found = compare(arrays(), checked())
    assert found["comparable"]
    assert found["reason"] is None
    assert found["largest_loss_difference"] == found["largest_weight_difference"] == 0
    assert found["strict_steps"] == STEPS


@pytest.mark.parametrize("step", range(STEPS))
def test_one_loss_that_differs_is_enough(step):
    relative = np.zeros(STEPS)
    relative[step] = 2e-4
    found = compare(arrays(losses=losses(*relative)), checked())
    assert not found["comparable"]
    assert f"step {step + 1} differ by 2.0e-04" in found["reason"]
    relative[step] = 0.9e-4
    assert compare(arrays(losses=losses(*relative)), checked())["comparable"]


def test_losses_that_are_not_numbers_differ():
    assert not compare(arrays(losses=losses(0, 0, 0, np.nan)), checked())["comparable"]


@pytest.mark.parametrize(("name", "kind"), [("generator_0", "weights"), ("generator_1", "statistics")])
def test_trained_weights_and_statistics_each_count(name, kind):
    value = arrays()[name.replace("_", "/")]
    found = compare(arrays(**{name: value + 2e-3}), checked())
    assert (
        found["reason"]
        == "generator " + kind + " differ by 2.0e-03 of the distance trained, more than 1.0e-03"
    )
    assert compare(arrays(**{name: value + 0.9e-3}), checked())["comparable"]


def test_networks_that_have_not_changed():
    stayed = np.ones((1, 3), np.float32)
    still = checked()._replace(reference=arrays(generator_0=stayed), perturbed=arrays(generator_0=stayed))
    assert compare(arrays(generator_0=stayed), still)["comparable"]
    assert not compare(arrays(), still)["comparable"]


def test_rounding_raises_the_tolerance_of_later_steps():
    """A difference of 1e-3 by rounding alone at the third step allows 1e-2 from there on."""
    noisy = checked(losses=losses(0, 1e-7, 1e-3, 0))
    assert compare(arrays(), noisy)["strict_steps"] == 2
    assert compare(arrays(losses=losses(0, 0, 0.9e-2, 0.9e-2)), noisy)["comparable"]
    assert not compare(arrays(losses=losses(0, 0, 0, 1.1e-2)), noisy)["comparable"]
    assert not compare(arrays(losses=losses(0, 2e-4, 0, 0)), noisy)["comparable"]


def test_rounding_raises_the_tolerance_of_weights():
    drift = arrays()["generator/0"] + 1e-3
    noisy = checked(generator_0=drift)
    allowed = NOISE * 1e-3
    assert compare(arrays(generator_0=drift - 1e-3 + 0.9 * allowed), noisy)["comparable"]
    assert not compare(arrays(generator_0=drift - 1e-3 + 1.1 * allowed), noisy)["comparable"]


def test_the_worst_seed_decides():
    def twice(one):
        return {name: np.concatenate([value, value]) for name, value in one.items()}

    ours = twice(arrays())
    ours["losses"][1, 2, 0] *= 1.01
    plain = checked()
    both = Checked(*map(twice, plain[:3]), plain.trained, plain.precision)
    assert "step 3" in compare(ours, both)["reason"]


def test_float32_losses_are_held_to_one_in_ten_thousand():
    assert TOLERANCES["float32"].losses == 1e-4
    assert TOLERANCES["float32"] < TOLERANCES["tf32"] < TOLERANCES["bfloat16"]
