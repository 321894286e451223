"""`import ganjax`: which backend, what it loads, and that it changes nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ganjax

ROOT = Path(__file__).parent.parent


def run(script, home=None, **variables):
    """Run `script` in a Python of its own, where only `variables` chooses a backend."""
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment |= {"HOME": str(home)} if home else {}
    environment |= variables
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script], env=environment, capture_output=True, text=True
    )


def reported(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# What the process opens, and for what, from here on.
WATCH = """
import json, os, sys
opened = []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        path, mode, flags = arguments
        writing = any(c in (mode or "") for c in "wax+") or bool((flags or 0) & (os.O_WRONLY | os.O_RDWR))
        opened.append((path, writing))
sys.addaudithook(watch)
"""

WHOLE_CORE = """
for name in ("GAN", "train_step", "init_state", "generate", "export_models", "R1", "Loss"):
    getattr(ganjax, name)
"""


def test_import_alone(tmp_path):
    """Nothing but the backend is decided: no keras, no JAX, no other library."""
    seen = reported(
        run(
            WATCH
            + """
before = set(sys.modules)
import ganjax
print(json.dumps({
    "backend": os.environ["KERAS_BACKEND"],
    "modules": sorted({m.split(".")[0] for m in set(sys.modules) - before}),
    "opened": [path for path, writing in opened if writing or not path.endswith((".py", ".pyc"))],
}))
""",
            home=tmp_path,
        )
    )
    assert seen["backend"] == "jax"
    assert not {"keras", "jax", "optax", "numpy"} & set(seen["modules"])
    assert seen["opened"] == []
    assert list(tmp_path.iterdir()) == []


CORE = (
    """
import jax, keras, optax
from jax._src import xla_bridge
if "keras" in sys.modules:
    configuration = dict(jax.config.values)
    settings = [keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format(),
                keras.config.dtype_policy().name]
opened.clear()
before = set(sys.modules)
import ganjax
"""
    + WHOLE_CORE
    + """
print(json.dumps({
    "backend": keras.backend.backend(),
    "new": sorted({m.split(".")[0] for m in set(sys.modules) - before}),
    "loaded": sorted({m.split(".")[0] for m in sys.modules}),
    "devices": xla_bridge.backends_are_initialized(),
    "configuration": dict(jax.config.values) == configuration,
    "settings": settings == [keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format(),
                             keras.config.dtype_policy().name],
    "opened": [path for path, writing in opened if writing or not path.endswith((".py", ".pyc"))],
}))
"""
)


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    return reported(run(WATCH + CORE, home=tmp_path_factory.mktemp("home"), KERAS_BACKEND="jax"))


def test_core_starts_no_device_work(core):
    assert core["backend"] == "jax"
    assert core["devices"] is False


def test_core_changes_no_setting(core):
    assert core["configuration"] is True
    assert core["settings"] is True


def test_core_reads_and_writes_no_file(core):
    assert core["opened"] == []


def test_core_imports_only_the_core(core):
    around = {"tqdm", "tyro", "platformdirs", "python_avatars", "resvg_py", "tensorflow", "torch"}
    assert not around & set(core["loaded"])
    # Beyond what jax, keras and optax had loaded (Keras itself tries matplotlib, PIL and pandas); of jax it
    # is jax.extend, which the convolutions' rewriting reads programs with.
    standard = {
        "concurrent",
        "queue",
        "_queue",
        "hashlib",
        "_hashlib",
        "random",
        "fractions",
        "decimal",
        "_decimal",
    }
    assert set(core["new"]) <= {"ganjax", "jax"} | standard


def test_unset_backend_is_jax_and_home_is_keras_own(tmp_path):
    """Keras writes its own configuration to HOME; ganjax adds nothing to it."""
    homes = {"keras": tmp_path / "keras", "ganjax": tmp_path / "ganjax"}
    scripts = {
        "keras": "import os; os.environ['KERAS_BACKEND'] = 'jax'; import keras",
        "ganjax": "import ganjax" + WHOLE_CORE,
    }
    files = {}
    for name, home in homes.items():
        home.mkdir()
        done = run(scripts[name] + "\nimport keras; print(keras.backend.backend())", home=home)
        assert done.stdout == "jax\n", done.stderr
        files[name] = sorted(str(path.relative_to(home)) for path in home.rglob("*"))
    assert files["ganjax"] == files["keras"]


REFUSED = "ganjax needs Keras on the JAX backend, but the choice was {}: set the environment variable"


def check_refused(done, backend):
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: {REFUSED.format(backend)} KERAS_BACKEND=jax"), done.stderr


def test_an_empty_variable_is_no_choice():
    done = run("import ganjax; ganjax.GAN; import keras; print(keras.backend.backend())", KERAS_BACKEND="")
    assert done.stdout == "jax\n", done.stderr


def test_another_backend_chosen_is_refused():
    check_refused(run("import ganjax", KERAS_BACKEND="tensorflow"), "tensorflow")


def test_keras_already_on_another_backend_is_refused():
    """Keras's NumPy backend imports everywhere; the environment says jax by the time ganjax looks."""
    script = "import keras, os; os.environ['KERAS_BACKEND'] = 'jax'; import ganjax"
    check_refused(run(script, KERAS_BACKEND="numpy"), "numpy")


def test_backend_of_a_configuration_file_is_overruled(tmp_path):
    """Without the variable Keras reads ~/.keras/keras.json; ganjax's choice goes before it."""
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text('{"backend": "tensorflow"}')
    done = run("import ganjax; ganjax.GAN; import keras; print(keras.backend.backend())", home=tmp_path)
    assert done.stdout == "jax\n", done.stderr


def test_public_names():
    for name in ganjax.__all__:
        assert getattr(ganjax, name) is not None
        assert name in dir(ganjax)
    assert ganjax.train_step.__module__ == "ganjax.step"
    with pytest.raises(AttributeError, match="module 'ganjax' has no attribute 'generator'"):
        ganjax.generator  # noqa: B018


def test_promised_names():
    assert {
        "GAN", "GANState", "init_state", "train_step", "generate", "sample_latent", "export_models",
        "generator_loss", "discriminator_loss", "losses", "penalties", "R1", "R2", "WGANGP",
    } <= set(ganjax.__all__)  # fmt: skip
