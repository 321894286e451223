"""Experiments written by users: what `fit` accepts, and its messages for what it does not accept."""

import dataclasses
from functools import cached_property
from typing import ClassVar

import jax
import numpy as np
import pytest
import small_runs

from ganjax.datasets import batches
from ganjax.gan import GAN
from ganjax.runs.saved_models import SavedGenerator
from ganjax.system.errors import UserError
from ganjax.training import RunFolder, fit, fit_population
from ganjax.training.experiment import check_experiment, load


@dataclasses.dataclass(frozen=True)
class Uniform:
    """Uniform in [-scale, scale]: it has a field of `Normal`, and is none."""

    mean: float = 0.0
    scale: float = 1.0

    def __call__(self, key, shape):
        return self.mean + self.scale * jax.random.uniform(key, shape, minval=-1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WithUniform(small_runs.Dots):
    name: ClassVar[str] = "dots"
    steps: int = 1
    picture_every: int = 0
    latent: object = Uniform()

    @cached_property
    def gan(self):
        return GAN(*small_runs.dots_networks(), latent=self.latent)


def refusal(function, *arguments, **options):
    with pytest.raises(UserError) as error:
        function(*arguments, **options)
    said = str(error.value)
    assert len(said.splitlines()) == 1
    return said


def test_a_folder_may_be_a_path(tmp_path):
    fit(WithUniform(), str(tmp_path / "run"), quiet=True)
    fit(WithUniform(), tmp_path / "run", steps=2, resume=True, quiet=True)
    manifest = RunFolder(tmp_path / "run").read_manifest()
    assert manifest["steps_done"] == 2
    # The latents are of the user's class: never sampled as normal ones.
    assert manifest["latent"] == {"class": f"{Uniform.__module__}.Uniform", "mean": 0.0, "scale": 1.0}
    folder = RunFolder(tmp_path / "run")
    said = refusal(SavedGenerator, folder)
    assert f"draws its latents with {Uniform.__module__}.Uniform" in said
    assert "SavedGenerator(folder, latent=...)" in said
    latents = SavedGenerator(folder, latent=Uniform()).draw_latents(1, 100)
    np.testing.assert_array_equal(latents, Uniform()(jax.random.key(1), (100, 2)))
    assert small_runs.ended("sample", folder.path) == small_runs.ended("explore", folder.path) == 2


def test_the_folders_of_a_population_may_be_paths(tmp_path):
    paths = [str(tmp_path / "0"), tmp_path / "1"]
    outcomes = fit_population([WithUniform(), WithUniform(seed=1)], paths, quiet=True)
    assert [outcome.step for outcome in outcomes] == [1, 1]


def test_a_latent_may_be_a_function(tmp_path):
    experiment = WithUniform(latent=lambda key, shape: jax.random.uniform(key, shape))
    fit(experiment, tmp_path / "run", quiet=True)
    described = RunFolder(tmp_path / "run").read_manifest()["latent"]
    assert set(described) == {"class"}
    assert described["class"].endswith("<lambda>")
    assert "<lambda>, which is not part of ganjax" in refusal(SavedGenerator, RunFolder(tmp_path / "run"))


def test_what_is_no_dataclass_is_refused(tmp_path):
    class Plain:
        name, seed, steps, batch = "plain", 0, 1, 4

    assert "put @dataclasses.dataclass(frozen=True, kw_only=True) above `class Plain`" in refusal(
        fit, Plain(), tmp_path / "run"
    )
    assert "such as WithUniform()" in refusal(fit, WithUniform, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    check_experiment(WithUniform())


@pytest.mark.parametrize(
    ("loaded", "kind"),
    [
        (np.zeros((8, 2), np.float32), "not ndarray"),
        (batches.Sampled(lambda key, n: jax.random.normal(key, (n, 2))), "not Sampled"),
        ((np.zeros((8, 2), np.float32), {"name": "x"}), "not (ndarray, dict)"),
        ((batches.Resident(np.zeros((8, 2), np.float32)), "x"), "not (Resident, str)"),
        (None, "not NoneType"),
    ],
)
def test_data_without_a_source_or_description_are_refused(loaded, kind, tmp_path):
    class Wrong(WithUniform):
        def load(self, progress):
            return loaded

    said = refusal(fit, Wrong(), tmp_path / "run", quiet=True)
    assert "Wrong.load must return" in said
    assert said.endswith(kind)


def test_data_with_a_source_and_a_description_are_loaded():
    source, data = load(small_runs.Dots(), False)
    assert (type(source), data) == (batches.Sampled, {"name": "ring"})
