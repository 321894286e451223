"""The paths on JAX, in this process; `test_measuring` starts TensorFlow's in one of its own."""

import jax
import numpy as np
import pytest

from benchmarks.throughput import same_work, work
from benchmarks.throughput.paths.ganjax_pure import Ganjax, InTurn
from benchmarks.throughput.paths.keras_jax import StockKeras
from benchmarks.throughput.preparation import prepare
from benchmarks.throughput.workloads import WORKLOADS

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras, when it saves

MAKERS = {"ganjax-step": Ganjax, "ganjax-chunk": Ganjax, "keras-jax": StockKeras}


@pytest.fixture(scope="module", params=["original-toy", "ring-16", "ring-16-x4"])
def prepared(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    prepare(folder, WORKLOADS[request.param], "float32", jax.default_backend())
    return work.Work(folder)


def checked_by(prepared, path, *, perturbed=False):
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return MAKERS[path](prepared, path, False).check(perturbed)


@pytest.fixture(scope="module")
def checked(prepared):
    reference, perturbed = (
        checked_by(prepared, "keras-jax"),
        checked_by(prepared, "keras-jax", perturbed=True),
    )
    return same_work.Checked(reference, perturbed, prepared.initial, prepared.spec["trained"], "float32")


@pytest.mark.parametrize("path", ["ganjax-step", "ganjax-chunk"])
def test_ganjax_does_the_work_of_stock_keras(prepared, checked, path):
    found = same_work.compare(checked_by(prepared, path), checked)
    assert found["comparable"], found["reason"]
    # Two Adams at a learning rate of 0.5 throw the toy about: there rounding shows sooner.
    assert found["strict_steps"] >= (
        10 if prepared.spec["workload"] == "original-toy" else work.CHECKED_STEPS
    )


@pytest.mark.parametrize(("setting", "factor"), [("beta_1", 1.02), ("learning_rate", 1.01)])
def test_another_adam_is_other_work(prepared, checked, setting, factor, monkeypatch):
    monkeypatch.setitem(prepared.spec, setting, factor * prepared.spec[setting])
    assert not same_work.compare(checked_by(prepared, "ganjax-step"), checked)["comparable"]


@pytest.mark.parametrize("path", MAKERS)
def test_running_trains_every_seed(prepared, path):
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        trainer = MAKERS[path](prepared, path, False)
        trainer.run(1)
        trainer.run(2)
    states = trainer.states if path == "keras-jax" else [trainer.state]
    steps = np.concatenate([np.ravel(state.step) for state in states])
    assert steps.tolist() == [3] * prepared.spec["seeds"]


def test_batches_in_turn():
    source = InTurn(np.arange(12.0, dtype=np.float32).reshape(4, 3, 1))
    plan = source.plan(jax.random.key(0), 2, 5, 3)
    assert plan.tolist() == [2, 3, 0, 1, 2]
    np.testing.assert_array_equal(source.fetch(plan[0], 3), [[6.0], [7.0], [8.0]])
