"""Runs that an earlier ganjax wrote (commit 904fb04, without a package `ganjax.runs`) can still be used."""

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
import small_runs

from ganjax.experiments.registry import restore
from ganjax.latents import Normal, NormalAndSigns
from ganjax.runs.resuming import manifest_of
from ganjax.runs.run_folder import RunFolder
from ganjax.runs.saved_models import SavedGenerator, read_latent
from ganjax.training import fit
from ganjax.training.reproduce import expected_of, reproduce

RUN = Path(__file__).parent / "written_before/original-toy"
RESULTS = Path(__file__).parents[2] / "benchmarks/results"
MANIFESTS = sorted(RESULTS.glob("reproducibility-*/manifests/*.json"))


@pytest.fixture
def old(tmp_path):
    """A finished run of two steps, without pictures and report."""
    return RunFolder(shutil.copytree(RUN, tmp_path / "old"))


def test_its_generator_draws_samples(old):
    generator = SavedGenerator(old)
    assert generator.latent == Normal(scale=10.0)
    latents = generator.draw_latents(1, 4)
    np.testing.assert_array_equal(latents, 10 * jax.random.normal(jax.random.key(1), (4, 1)))
    assert generator.decode(latents).shape == (4, 1)


def test_its_states_are_trained_again(old):
    manifest = manifest_of(old.path)
    comparisons = list(reproduce(restore(manifest), manifest, expected_of(manifest, old, None)))
    assert [comparison.step for comparison in comparisons] == [0, 1, 2]
    assert all(comparison.within(1e-4) for comparison in comparisons)


@pytest.mark.parametrize("manifest_is_there", [True, False])
def test_it_is_resumed(old, manifest_is_there):
    experiment = restore(manifest_of(old.path))
    before = manifest_of(old.path)["digests"]
    if not manifest_is_there:
        old.manifest_path.unlink()  # the checkpoint says which run it is
    outcome = fit(experiment, old, steps=3, resume=True, quiet=True)
    manifest = old.read_manifest()
    assert (outcome.step, manifest["status"]) == (3, "finished")
    assert manifest["digests"] == before
    assert len(old.metrics_path.read_text().splitlines()) == 4
    assert "fingerprint" in manifest


@pytest.mark.parametrize("command", ["sample", "report", "evaluate"])
def test_the_commands_read_it(old, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    options = {"sample": ["--out", "samples.npz"], "report": [], "evaluate": ["--quiet"]}
    assert small_runs.ended(command, old.path, *options[command]) == 0


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_alone_says_what_to_train_and_how_latents_are_drawn(path, tmp_path):
    manifest = manifest_of(path)
    assert restore(manifest).name == manifest["experiment"]
    assert 0 in expected_of(manifest, None, None).digests
    folder = RunFolder(tmp_path)
    folder.manifest_path.write_text(json.dumps(manifest))
    expected = {"ring": NormalAndSigns(10), "original-toy": Normal(scale=10.0), "cartoon": Normal()}
    assert read_latent(folder) == expected[path.stem]


def test_there_are_manifests():
    assert {path.stem for path in MANIFESTS} == {"cartoon", "original-toy", "ring"}
