"""A run of a conditional GAN: its labels, from the first step to `ganjax sample --parts`."""

import dataclasses
import functools
import json
import shutil
from functools import cached_property
from typing import ClassVar

import keras
import numpy as np
import pytest
import small_runs
from keras import layers

from ganjax import sampling, viewing
from ganjax.datasets import Resident
from ganjax.datasets.conditions import Condition
from ganjax.experiments import Experiment
from ganjax.gan import GAN
from ganjax.runs.saved_models import SavedGenerator
from ganjax.system.errors import UserError
from ganjax.training import RunFolder, fit

NAMES = {"shade": ("dark", "grey", "light"), "accessory": ("none", "round")}
LABELS = {"shade": np.arange(12, dtype=np.int32) % 3, "accessory": np.arange(12, dtype=np.int32) % 2}

ended = functools.partial(small_runs.ended, "sample")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shades(Experiment):
    """Flat pictures of three shades.

    ganjax train shades
    """

    name: ClassVar[str] = "shades"

    steps: int = 3
    """Updates of the generator."""
    batch: int = 4
    """Real samples in an update."""
    picture_every: int = 2
    """Steps from one picture to the next."""

    @cached_property
    def condition(self):
        return Condition.of("shade,glasses", LABELS, NAMES)

    @cached_property
    def gan(self):
        latent, label = keras.Input((2,)), keras.Input((self.condition.size,))
        x = layers.Dense(8 * 8 * 3, "tanh")(layers.Concatenate()([latent, label]))
        picture, asked = keras.Input((8, 8, 3)), keras.Input((self.condition.size,))
        logit = layers.Dense(1)(layers.Concatenate()([layers.Flatten()(picture), asked]))
        return GAN(
            keras.Model([latent, label], layers.Reshape((8, 8, 3))(x)), keras.Model([picture, asked], logit)
        )

    def load(self, progress):
        pictures = np.broadcast_to(
            (LABELS["shade"] * 100).astype(np.uint8)[:, None, None, None], (12, 8, 8, 3)
        )
        labels = self.condition.encode(LABELS)
        return Resident(pictures, labels), {"name": "shades", "condition": self.condition.to_json()}

    def draw(self, path, state, source, key):
        latents = sampling.sample_latent(self.gan, key, 4)
        viewing.save_grid(path, sampling.decode(self.gan, state, latents, source.labels[:4]), columns=2)


@pytest.fixture(scope="module")
def shades(tmp_path_factory):
    folder = RunFolder.create(tmp_path_factory.mktemp("shades") / "run")
    fit(Shades(), folder, quiet=True)
    return folder


@pytest.fixture(scope="module")
def generator(shades):
    return SavedGenerator(shades)


@pytest.fixture
def copy(shades, tmp_path):
    shutil.copytree(shades.path, tmp_path / "copy")
    return RunFolder.open(tmp_path / "copy")


def test_the_manifest_says_what_labels_mean(shades, generator):
    assert Condition.from_json(shades.read_manifest()["data"]["condition"]) == Shades().condition
    assert generator.condition == Shades().condition
    assert (generator.latent_shape, generator.sample_shape) == ((2,), (8, 8, 3))


def test_samples_are_of_their_labels(generator):
    latents = generator.draw_latents(1, 3)
    condition = generator.condition
    labels = condition.encode({"shade": np.array([0, 1, 2]), "accessory": np.array([0, 0, 1])})
    made = generator.decode(latents, labels)
    one_by_one = [generator.decode(latents[i : i + 1], labels[i : i + 1])[0] for i in range(3)]
    np.testing.assert_allclose(made, np.stack(one_by_one), rtol=0, atol=1e-6)
    assert not np.allclose(made, generator.decode(latents, np.roll(labels, 1, axis=0)), atol=1e-3)


def test_who_asks_for_nothing_gets_what_is_usual(generator):
    latents = generator.draw_latents(1, 2)
    usual = generator.condition.encode(generator.condition.usual(2))
    np.testing.assert_array_equal(generator.decode(latents), generator.decode(latents, usual))


def test_a_source_gives_each_sample_its_own_label():
    source, _ = Shades().load(False)
    batch = source.fetch(np.array([5, 0, 7, 3]), 4)
    np.testing.assert_array_equal(batch.labels, Shades().condition.encode(LABELS)[[5, 0, 7, 3]])
    np.testing.assert_allclose(
        batch.samples[:, 0, 0, 0], LABELS["shade"][[5, 0, 7, 3]] * 100 / 127.5 - 1, atol=1e-6
    )


def test_labels_that_are_too_few_or_of_another_kind():
    samples = np.zeros((12, 2), np.float32)
    with pytest.raises(ValueError, match="12 samples need as many labels, got 11"):
        Resident(samples, np.zeros((11, 3), np.float32))
    with pytest.raises(TypeError, match="float32, or integers for networks that take these, got float64"):
        Resident(samples, np.arange(12.0))
    assert Resident(samples, np.arange(12)).labels.dtype == np.int32


def test_sample_takes_parts(shades, generator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ended(shades.path, "--n", 4, "--parts", "shade=light, glasses=round", "--out", "a.npz") == 0
    with np.load("a.npz", allow_pickle=False) as arrays:
        values = {"shade": np.full(4, 2), "accessory": np.full(4, 1)}
        expected = generator.decode(arrays["latents"], generator.condition.encode(values))
        np.testing.assert_array_equal(arrays["samples"], expected)
    # What is not asked for is drawn: the same seed, the same parts.
    for name in ("b.npz", "c.npz"):
        assert ended(shades.path, "--n", 4, "--parts", "shade=light", "--out", name) == 0
    with np.load("b.npz") as b, np.load("c.npz") as c:
        np.testing.assert_array_equal(b["samples"], c["samples"])


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ("shade=pink", "no value of shade 'pink'"),
        ("hair=bob", "no attribute of this run 'hair'"),
        ("light", "ATTRIBUTE=VALUE"),
    ],
)
def test_parts_that_are_none(shades, parts, said, capsys):
    assert ended(shades.path, "--parts", parts) == 2
    said_in_all = capsys.readouterr().err
    assert said in said_in_all
    assert said_in_all.count("\n") == 1


def test_a_run_without_labels_takes_no_parts(tiles, capsys):
    assert ended(tiles.path, "--parts", "hair=bob") == 2
    assert "--condition" in capsys.readouterr().err


@pytest.mark.parametrize("condition", [None, {}, {"shade": 3}, {"shade": {"names": ["a"], "shares": [1.0]}}])
def test_a_manifest_that_does_not_say(copy, condition):
    manifest = copy.read_manifest()
    manifest["data"]["condition"] = condition
    copy.manifest_path.write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="does not say what its labels mean"):
        SavedGenerator(copy)
