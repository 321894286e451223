"""A saved generator gives the same samples anywhere, and loading it runs no code from the file."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile

import jax
import keras
import numpy as np
import pytest
import small_runs
from hypothesis import given, settings
from hypothesis import strategies as st

from ganjax import arrays_to_state, discriminate, generate, init_state
from ganjax.runs import checkpoints, saved_models
from ganjax.runs.saved_models import SavedGenerator, load_model, load_models
from ganjax.system.errors import UserError
from ganjax.training import RunFolder


@pytest.fixture
def copy(tiles, tmp_path):
    """A copy of the run of pictures that a test may damage."""
    shutil.copytree(tiles.path, tmp_path / "copy")
    return RunFolder.open(tmp_path / "copy")


@pytest.fixture(scope="module")
def generator(tiles):
    return SavedGenerator(tiles)


def refusal(function, *arguments):
    with pytest.raises(UserError) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_knows_its_shapes_and_its_latents(generator):
    assert generator.latent_shape == (100,)
    assert generator.sample_shape == (8, 8, 3)
    latents = generator.draw_latents(3, 4000)
    assert (latents.shape, latents.dtype) == ((4000, 100), np.float32)
    np.testing.assert_array_equal(latents, small_runs.Tiles().gan.latent(jax.random.key(3), (4000, 100)))
    assert latents.mean() == pytest.approx(0.1, abs=0.02)  # as the run's own distribution says
    assert latents.std() == pytest.approx(1.5, abs=0.02)


@pytest.mark.parametrize("seed", [-1, 2**32, 2**64])
def test_seeds_that_jax_would_fold_are_refused(generator, seed):
    assert "--seed" in refusal(generator.draw_latents, seed, 1)


def test_its_samples_are_those_of_the_trained_state(generator, tiles):
    experiment = small_runs.Tiles()
    state = arrays_to_state(experiment.gan, checkpoints.read(tiles.checkpoint_path(3)).arrays)
    samples = generator.decode(generator.draw_latents(3, 5))
    # The saved model is plain Keras, whose convolutions round otherwise than Winograd's.
    np.testing.assert_allclose(samples, generate(experiment.gan, state, jax.random.key(3), 5), atol=1e-5)


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 11])
def test_any_number_is_decoded_in_batches(generator, monkeypatch, n):
    latents = generator.draw_latents(0, 11)
    whole = generator.decode(latents)
    monkeypatch.setattr(saved_models, "BATCH", 4)
    samples = generator.decode(latents[:n])
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, whole[:n], atol=1e-6)


def test_a_short_last_batch_costs_no_compilation(tiles, monkeypatch):
    monkeypatch.setattr(saved_models, "BATCH", 4)
    generator = SavedGenerator(tiles)
    generator.decode(generator.draw_latents(0, 11))
    assert generator._forward._cache_size() == 1


def test_a_state_starts_from_a_run(tiles):
    """From the averaged generator and the discriminator, whose kernels Keras keeps divided by their norm."""
    for folder in (tiles.path, str(tiles.path)):
        generator, discriminator = load_models(folder)
    gan = small_runs.Tiles().gan
    state = init_state(gan, jax.random.key(0), generator=generator, discriminator=discriminator)
    arrays = checkpoints.read(tiles.checkpoint_path(3)).arrays
    for i, value in enumerate(state.generator.params):
        np.testing.assert_array_equal(value, arrays[f"ema/params/{i}"])
        np.testing.assert_array_equal(value, state.ema.params[i])
    trained = arrays_to_state(gan, arrays)
    pictures = generate(gan, trained, jax.random.key(1), 4)
    np.testing.assert_allclose(
        discriminate(gan, state, pictures), discriminate(gan, trained, pictures), rtol=1e-4, atol=1e-4
    )


def test_no_run_to_start_from(tmp_path):
    assert str(tmp_path) in refusal(load_models, tmp_path)


@pytest.mark.parametrize("several", ["inputs", "outputs"])
def test_a_generator_of_several_arrays_is_for_python(copy, several, monkeypatch):
    x, y = keras.Input((2,), name="x"), keras.Input((2,), name="y")
    model = keras.Model({"x": x, "y": y}, x) if several == "inputs" else keras.Model(x, {"a": x, "b": x})
    monkeypatch.setattr(saved_models, "load_model", lambda *_: model)
    assert "ganjax.training.load_models(folder)" in refusal(SavedGenerator, copy)


def test_no_generator_yet(copy):
    copy.model_path("generator").unlink()
    assert "has not finished" in refusal(SavedGenerator, copy)


@pytest.mark.parametrize("content", [b"", b"not a zip file", None])
def test_a_damaged_file_is_said_in_one_line(copy, content):
    path = copy.model_path("generator")
    path.write_bytes(path.read_bytes()[:-300] if content is None else content)
    assert "cannot be loaded" in refusal(SavedGenerator, copy)


@pytest.mark.parametrize(
    "latent", [None, {"mean": 0.0, "spread": 1.0}, {"mean": "far"}, {"mean": 10**400}, "missing"]
)
def test_a_manifest_without_a_latent_distribution_is_said_in_one_line(copy, latent):
    manifest = copy.read_manifest()
    del manifest["latent"]
    copy.write_manifest(manifest if latent == "missing" else manifest | {"latent": latent})
    assert "latents" in refusal(SavedGenerator, copy)


def test_models_that_were_swapped_are_noticed(copy, dots):
    for path in (copy.model_path("discriminator"), dots.model_path("generator")):
        shutil.copy(path, copy.model_path("generator"))
        assert "is not the file that this run wrote: `ganjax resume" in refusal(SavedGenerator, copy)


def test_a_file_that_carries_code_is_refused_and_the_code_not_run(copy, tmp_path):
    mark = str(tmp_path / "the code ran")
    evil = keras.layers.Lambda(lambda x: (open(mark, "w").close(), x)[1])
    model = keras.Sequential([keras.layers.Input((100,)), evil])
    os.remove(mark)
    copy.write_model("generator", model)
    assert "code other than Keras's own layers" in refusal(load_model, copy, "generator")
    assert not os.path.exists(mark)


def rewritten(folder, change):
    """The generator's file again, its configuration changed by a function of JSON values."""
    path = folder.model_path("generator")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    members["config.json"] = json.dumps(change(config)).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def of_class(module, name):
    """Give the first layer another class."""

    def change(config):
        first = config["config"]["layers"][1]
        first |= {"module": module, "class_name": name, "registered_name": f"{module}>{name}"}
        return config

    return change


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("my.layers", "Mine"),  # a custom class that nobody has registered
        ("os", "system"),
        ("builtins", "eval"),
        ("keras.utils", "get_file"),
        ("keras.config", "enable_unsafe_deserialization"),
        ("keras.src.saving.saving_lib", "load_model"),
    ],
)
def test_a_file_that_asks_for_foreign_code_is_refused(copy, module, name):
    rewritten(copy, of_class(module, name))
    assert "code other than Keras's own layers" in refusal(load_model, copy, "generator")


@pytest.mark.parametrize(
    "change",
    [
        lambda config: None,
        lambda config: [],
        lambda config: config["config"]["layers"][1],  # a layer is no model
        lambda config: config | {"config": {}},
        lambda config: config | {"config": config["config"] | {"layers": [3]}},
    ],
)
def test_a_configuration_that_makes_no_sense_is_said_in_one_line(copy, change):
    rewritten(copy, change)
    assert "cannot be loaded" in refusal(load_model, copy, "generator")


@settings(max_examples=15)
@given(data=st.data())
def test_a_bit_that_turned_is_noticed(copy, data):
    path = copy.model_path("generator")
    content = path.read_bytes()
    place = data.draw(st.integers(0, 8 * len(content) - 1))
    damaged = bytearray(content)
    damaged[place // 8] ^= 1 << place % 8
    path.write_bytes(damaged)
    said = refusal(load_model, copy, "generator")
    path.write_bytes(content)
    assert "`ganjax resume" in said


# In a process that never imported ganjax.

ALONE = """
import sys
import keras, numpy as np
model = keras.models.load_model(sys.argv[1])
assert "ganjax" not in sys.modules
np.save(sys.argv[3], keras.ops.convert_to_numpy(model(np.load(sys.argv[2]), training=False)))
print(keras.backend.backend())
"""


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_the_file_loads_with_keras_alone_and_gives_the_same_pictures(tiles, generator, tmp_path, backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: pip install '.[test]' brings it")
    latents = generator.draw_latents(11, 6)
    np.save(tmp_path / "latents.npy", latents)
    words = [str(tiles.model_path("generator")), str(tmp_path / "latents.npy"), str(tmp_path / "images.npy")]
    ended = subprocess.run(
        [sys.executable, "-c", ALONE, *words],
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split()[-1] == backend
    images = np.load(tmp_path / "images.npy")
    assert np.ptp(images) > 0.1
    np.testing.assert_allclose(images, generator.decode(latents), atol=1e-5)
