"""A manifest holds, as JSON, what a run needs to be made again."""

import dataclasses
import json
from pathlib import Path

import jax
import runs

import ganjax
from ganjax.training.manifest import describe, versions


@dataclasses.dataclass(frozen=True, kw_only=True)
class WithPaths(runs.Dots):
    data: Path | None = Path("faces")
    widths: tuple[int, ...] = (2, 3)
    cache: Path | None = None


def test_every_setting_is_in_it_as_json(key):
    found = json.loads(json.dumps(describe(WithPaths(seed=5), key)))
    assert found["experiment"] == "dots"
    assert found["settings"] == {
        "seed": 5,
        "steps": 12,
        "batch": 16,
        "log_every": 5,
        "picture_every": 4,
        "learning_rate": 0.01,
        "data": "faces",
        "widths": [2, 3],
        "cache": None,
    }
    assert found["latent"] == {"mean": 0.0, "scale": 1.0}
    assert found["device"] == jax.devices()[0].device_kind


def test_the_key_comes_back_from_it():
    key = jax.random.key(2**32 - 1)
    found = describe(runs.Dots(), key)["key"]
    again = jax.random.wrap_key_data(jax.numpy.asarray(found, jax.numpy.uint32))
    assert again == key


def test_versions_are_those_that_run():
    found = versions()
    assert found["ganjax"] == ganjax.__version__
    assert found["jax"] == jax.__version__
    assert set(found) == {"ganjax", "python", "jax", "jaxlib", "keras", "optax", "numpy"}
