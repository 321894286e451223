"""Targets that read run folders: manifest, generator, checkpoints, and resuming."""

import functools
import hashlib
import json
import tempfile
import zipfile
from pathlib import Path

import jax
import keras
import numpy as np
from hypothesis import strategies as st

from ganjax.export import arrays_digest, state_to_arrays
from ganjax.gan import GAN
from ganjax.runs import checkpoints
from ganjax.runs.record import Record
from ganjax.runs.resuming import manifest_of, resume_from
from ganjax.runs.run_folder import MANIFEST_SCHEMA, RunFolder
from ganjax.runs.saved_models import SavedGenerator
from ganjax.state import init_state
from ganjax.system.files import write_zip

from .exploring import Target
from .inputs import altered, altered_json, files, repacked

MANIFEST = {
    "schema": MANIFEST_SCHEMA,
    "experiment": "tiles",
    "settings": {"seed": 0, "steps": 3, "batch": 4, "data": None, "learning_rate": 0.01},
    "latent": {"mean": 0.0, "scale": 1.0},
    "key": [0, 0],
    "versions": {"ganjax": "0.1.0", "jax": "0.10.2"},
    "data": {"name": "noise", "count": 10},
    "status": "finished",
    "steps_done": 3,
    "scores": {"mean_radius": 1.0},
}


def manifests():
    text = json.dumps(MANIFEST, indent=2).encode()
    return altered_json(MANIFEST) | altered([text, b"[", b"{}", b'{"schema": 1}'])


def read_manifest(folder, scratch):
    manifest = RunFolder(folder).read_manifest()
    assert isinstance(manifest, dict)


@functools.cache
def generator():
    """The members of a small `generator.keras`."""
    layers = [keras.layers.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.BatchNormalization()]
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(name)
        folder.write_model("generator", keras.Sequential(layers))
        with zipfile.ZipFile(folder.model_path("generator")) as archive:
            return {member: archive.read(member) for member in archive.namelist()}


def generators():
    sound = generator()

    def with_another(name):
        content = sound[name]
        changed = altered([content], most=3)
        if name.endswith(".json"):
            changed |= altered_json(json.loads(content))
        return changed.map(lambda content: _keras_file(sound | {name: content}))

    models = st.one_of([*map(with_another, sound), altered([_keras_file(sound)])])
    manifest = st.just(json.dumps(MANIFEST).encode()) | manifests()
    return files(manifest__json=manifest, generator__keras=models)


def _keras_file(members):
    return repacked(lambda file: zipfile.ZipFile(file, "w"), members)


def read_generator(folder, scratch):
    latents = SavedGenerator(RunFolder.open(folder)).draw_latents(seed=0, n=2)
    assert len(latents) == 2


# Checkpoints, and the folder around them.

STEPS = (2, 4)
METRICS = b"step,loss\n2,0.5\n4,0.25\n"
PICTURE = b"a picture"


@functools.cache
def make_gan():
    layers = [keras.layers.Input((2,)), keras.layers.Dense(2)]
    return GAN(keras.Sequential(layers), keras.Sequential([*layers, keras.layers.Dense(1)]))


@functools.cache
def states():
    """Arrays of the state at each of STEPS."""
    return {step: state_to_arrays(init_state(make_gan(), jax.random.key(step))) for step in STEPS}


@functools.cache
def run():
    """The files of a run that is to be resumed."""
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(name)
        folder.write_manifest(MANIFEST | {"status": "running"})
        folder.metrics_path.write_bytes(METRICS)
        folder.samples.mkdir()
        folder.picture_path(2).write_bytes(PICTURE)
        for step, arrays in states().items():
            written = METRICS[: len(METRICS) // 2 + 4 * (step - 2)]
            record = Record(
                metrics=(len(written), hashlib.sha256(written).hexdigest()),
                pictures={folder.picture_path(2).name: hashlib.sha256(PICTURE).hexdigest()},
            ).as_json()
            about = {"run": MANIFEST, "step": step, "state_sha256": arrays_digest(arrays), "written": record}
            checkpoints.write(folder.checkpoint_path(step), checkpoints.Checkpoint(arrays, about))
        paths = [path for path in folder.path.rglob("*") if path.is_file()]
        return {path.relative_to(name).as_posix(): path.read_bytes() for path in paths}


def one_checkpoint():
    name = RunFolder("").checkpoint_path(2).as_posix()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound"
        path.write_bytes(run()[name])
        members, _ = checkpoints._members(path)

    def resealed(changed):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "changed"
            write_zip(path, members | changed, comment=checkpoints._seal(members | changed))
            return path.read_bytes()

    # Damage would break the seal: these files are sealed again, so that the content itself is checked.
    changes = [st.tuples(st.just(name), altered([content], most=2)) for name, content in members.items()]
    record = st.tuples(st.just(checkpoints.RECORD), altered_json(json.loads(members[checkpoints.RECORD])))
    forged = st.one_of(record, *changes).map(lambda change: resealed(dict([change])))
    return files(checkpoint=altered([run()[name]]) | forged)


def read_checkpoint(folder, scratch):
    found = checkpoints.read(folder / "checkpoint")
    assert isinstance(found.record, dict)
    assert all(isinstance(array, np.ndarray) for array in found.arrays.values())


def whole_runs():
    damaged = {name.encode(): st.just(sound) | altered([sound], most=2) for name, sound in run().items()}
    return st.fixed_dictionaries({}, optional=damaged | {b"manifest.json": manifests()})


def read_whole_run(folder, scratch):
    said = []
    manifest_of(folder)
    found = resume_from(RunFolder(folder), make_gan(), MANIFEST, say=said.append)
    assert all(len(line.splitlines()) == 1 for line in said), said
    if found is not None:
        # Damage is noticed: the state is one that was written.
        assert arrays_digest(state_to_arrays(found.state)) == arrays_digest(states()[found.step])
        assert (folder / "metrics.csv").read_bytes().startswith(METRICS[: found.record.metrics[0]])


TARGETS = (
    Target("manifest", lambda: files(manifest__json=manifests()), read_manifest),
    Target("generator", generators, read_generator),
    Target("checkpoint", one_checkpoint, read_checkpoint),
    Target("resume", whole_runs, read_whole_run),
)
