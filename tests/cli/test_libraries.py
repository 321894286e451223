"""Commands ignore the user's settings of Keras; settings of JAX that break them are reported in one line."""

import json
import os

import jax
import pytest
import small_runs

from ganjax.cli import libraries
from ganjax.cli.libraries import start_jax
from ganjax.system.errors import UserError


def run(base, *words, program=("-m", "ganjax"), **variables):
    environment = small_runs.environment(base) | variables
    return small_runs.python(base, *program, *map(str, words), env=environment, cwd=base)


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["train", "ring", "--help"], ["info"]])
def test_a_command_without_keras_works_with_any_backend(base, words):
    result = run(base, *words, KERAS_BACKEND="torch")
    assert (result.returncode, result.stderr) == (0, "")


def test_the_installed_script_chooses_its_backend_too(base, tmp_path):
    script = tmp_path / "ganjax"
    script.write_text("from ganjax.cli.main import main; main()")
    result = run(base, "--version", program=[script], KERAS_BACKEND="tensorflow")
    assert (result.returncode, result.stderr) == (0, "")


def test_a_command_with_keras_uses_jax_and_says_so(base, dots, tmp_path):
    result = run(base, "sample", dots.path, "--n", 2, "--out", tmp_path / "a.npz", KERAS_BACKEND="torch")
    assert result.returncode == 0
    assert result.stderr == "ganjax: KERAS_BACKEND=torch is ignored: ganjax uses Keras on the JAX backend\n"


SETTINGS = """
import json
from ganjax.cli.libraries import keras_by_default
with keras_by_default():
    import keras
    from ganjax.system.keras_settings import DEFAULTS, keras_settings
    print(json.dumps([keras_settings() == DEFAULTS, keras.backend.backend()]))
"""


@pytest.mark.parametrize("content", ["[]", None])
def test_the_users_keras_json_is_not_read_or_written(base, tmp_path, content):
    folder = tmp_path / ".keras"
    folder.mkdir()
    users = {"floatx": "float16", "epsilon": 1e-3, "image_data_format": "channels_first"}
    (folder / "keras.json").write_text(content or json.dumps(users | {"backend": "torch"}))
    variables = {"HOME": str(tmp_path), "KERAS_HOME": str(folder), "KERAS_NNX_ENABLED": "1"}
    before = (folder / "keras.json").read_bytes()
    result = run(base, program=("-c", SETTINGS), **variables)
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == [True, "jax"]
    assert (folder / "keras.json").read_bytes() == before


def test_the_environment_is_restored(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.delenv("KERAS_NNX_ENABLED", raising=False)
    before = dict(os.environ)
    with libraries.keras_by_default():
        assert os.environ["KERAS_BACKEND"] == "jax"
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"JAX_PLATFORMS": "abacus"}, "no device for JAX_PLATFORMS=abacus"),
        ({"JAX_ENABLE_X64": "maybe"}, "JAX cannot be imported: "),
        ({"JAX_DEFAULT_PRNG_IMPL": "rbg"}, "JAX_DEFAULT_PRNG_IMPL=rbg: unset this"),
    ],
)
def test_jax_that_does_not_start_is_reported_in_one_line(base, tmp_path, variables, said):
    result = run(base, "train", "original-toy", "--steps", 1, "--out", tmp_path / "run", **variables)
    assert (result.returncode, result.stdout) == (2, "")
    assert small_runs.one_line(result.stderr)
    assert said in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (lambda: jax.default_prng_impl("rbg"), "JAX_DEFAULT_PRNG_IMPL=rbg"),
        (lambda: jax.legacy_prng_key("error"), "JAX_LEGACY_PRNG_KEY=error"),
        (lambda: jax.debug_key_reuse(True), "JAX_DEBUG_KEY_REUSE=True"),
        (lambda: jax.transfer_guard_host_to_device("disallow"), "JAX_TRANSFER_GUARD_HOST_TO_DEVICE=disallow"),
        (lambda: jax.transfer_guard_device_to_host("disallow"), "JAX_TRANSFER_GUARD_DEVICE_TO_HOST=disallow"),
    ],
)
def test_settings_of_jax_that_break_a_run_are_refused(setting, said):
    with setting(), pytest.raises(UserError, match=said):
        start_jax(cache=False)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("Unable to initialize backend 'cuda'"), "Unable to initialize backend 'cuda'"),
        (AssertionError(), "there is none, or this JAX was installed without support for it"),  # JAX 0.10
    ],
)
def test_without_a_device_the_reason_is_given(monkeypatch, error, reason):
    def fail():
        raise error

    monkeypatch.setattr(jax, "devices", fail)
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    with pytest.raises(UserError, match=f"JAX finds no device for JAX_PLATFORMS=cuda: {reason}"):
        start_jax(cache=False)


# Layers that ask Keras whether they are called by TensorFlow.

PREPROCESSING = """
import sys
import keras
import numpy as np
import small_runs
from ganjax.cli.main import main
from ganjax.datasets import batches
from ganjax.experiments import EXPERIMENTS
from ganjax.gan import GAN

class Scaled(small_runs.Tiles):
    "A generator that ends in preprocessing layers."

    name = "scaled"

    @property
    def gan(self):
        generator, discriminator = small_runs.tiles_networks()
        normalization = keras.layers.Normalization(mean=0.5, variance=4.0, invert=True)
        layers = [generator, keras.layers.Rescaling(0.5, -0.25), normalization]
        return GAN(keras.Sequential([keras.layers.Input((100,)), *layers]), discriminator)

    def load(self, progress):
        pictures = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3), np.uint8)
        return batches.Resident(pictures), {"name": "noise", "count": 64}

EXPERIMENTS["scaled"] = Scaled
for words in sys.argv[1:]:
    try:
        main(words.split())
    except SystemExit as end:
        assert not end.code, (words, end.code)
assert "tensorflow" not in sys.modules
"""


def test_generators_with_preprocessing_layers_are_trained_and_used(base, tmp_path):
    commands = [
        "train scaled --steps 2 --out run --quiet",
        "sample run --n 2 --out a.npz",
        "explore run --rows 1 --columns 2",
        "evaluate run --n 32 --quiet",
    ]
    result = small_runs.python(base, "-c", PREPROCESSING, *commands, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
