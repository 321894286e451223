"""Three tiny experiments, and runs of them that many tests look at."""

import contextlib
import dataclasses
import functools
import os
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import jax
import keras
import numpy as np
import optax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from ganjax import sampling, viewing
from ganjax.datasets import batches, toy
from ganjax.experiments import EXPERIMENTS, Experiment
from ganjax.gan import GAN, Normal
from ganjax.training import RunFolder, fit

TESTS = Path(__file__).parent


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dots(Experiment):
    """A ring of dots for a pair of very small MLPs: dense, so one compiled loop is a chunk.

    ganjax train dots
    """

    name: ClassVar[str] = "dots"

    steps: int = 12
    """Updates of the generator."""
    batch: int = 16
    """Real samples in an update."""
    log_every: int = 5
    """Steps from one row to the next."""
    picture_every: int = 4
    """Steps from one picture to the next."""
    learning_rate: float = 1e-2
    """Of both Adams."""

    @cached_property
    def gan(self):
        adam = optax.adam(self.learning_rate)
        return GAN(*dots_networks(), generator_optimizer=adam, discriminator_optimizer=adam)

    def load(self, progress):
        return batches.Sampled(toy.ring), {"name": "ring"}

    def draw(self, path, state, source, key):
        points = np.asarray(sampling.generate(self.gan, state, key, 64))
        counts = np.histogram2d(*points.T, bins=16, range=[(-2, 2), (-2, 2)])[0]
        viewing.save_image(path, (60 * np.minimum(counts, 4)).astype(np.uint8).repeat(4, 0).repeat(4, 1))

    def score(self, state, source, key):
        return {
            "mean_radius": float(np.linalg.norm(sampling.generate(self.gan, state, key, 64), axis=1).mean())
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Nearest(Dots):
    """Keeps the state whose step is nearest 6.

    ganjax train nearest
    """

    name: ClassVar[str] = "nearest"
    select_every: ClassVar[int] = 2
    select_by: ClassVar[str] = "distance from step 6"

    def distance(self, state, source, key):
        return abs(int(state.step) - 6.5)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tiles(Experiment):
    """Pictures of 8 x 8 pixels for convolutions: on a CPU a chunk is a queue of steps.

    ganjax train tiles
    """

    name: ClassVar[str] = "tiles"

    steps: int = 3
    """Updates of the generator."""
    batch: int = 4
    """Real samples in an update."""
    picture_every: int = 2
    """Steps from one picture to the next."""

    @cached_property
    def gan(self):
        return GAN(*tiles_networks(), ema_decay=0.5, latent=Normal(mean=0.1, scale=1.5))

    def load(self, progress):
        pictures = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3), np.uint8)
        return batches.Resident(pictures), {"name": "noise", "count": 10}

    def draw(self, path, state, source, key):
        viewing.save_grid(path, sampling.generate(self.gan, state, key, 6), columns=3)


def dots_networks():
    layers = keras.layers
    mlp = [layers.Input((2,)), layers.Dense(8, "relu"), layers.Dense(2)]
    return keras.Sequential(mlp), keras.Sequential([*mlp[:2], layers.Dense(8, "tanh"), layers.Dense(1)])


def tiles_networks():
    layers = keras.layers
    generator = [
        layers.Input((100,)),
        layers.Dense(4 * 4 * 4),
        layers.Reshape((4, 4, 4)),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Conv2DTranspose(3, 4, 2, padding="same", activation="tanh"),
    ]
    discriminator = [
        layers.Input((8, 8, 3)),
        layers.SpectralNormalization(layers.Conv2D(4, 4, 2, padding="same")),
        layers.LeakyReLU(),
        layers.Flatten(),
        layers.Dense(1),
    ]
    return keras.Sequential(generator), keras.Sequential(discriminator)


@functools.cache
def dots_run(base):
    """Folder of a finished run of `Dots()`; `base` is the session's own folder."""
    folder = RunFolder.create(base / "dots")
    fit(Dots(), folder, quiet=True)
    return folder


@functools.cache
def tiles_run(base):
    """Folder of a finished run of `Tiles()`."""
    folder = RunFolder.create(base / "tiles")
    fit(Tiles(), folder, quiet=True)
    return folder


def command_line():
    """`ganjax` with the experiments above among its own."""
    from ganjax.cli.main import main

    EXPERIMENTS.update(dots=Dots, tiles=Tiles, nearest=Nearest)
    main()


def ended(command, *words):
    """Exit code of `ganjax` in this process: `ended("train dots --steps 2")`, `ended("sample", folder)`."""
    from ganjax.cli import main

    with pytest.raises(SystemExit) as end:
        main.main([*command.split(), *map(str, words)])
    return end.value.code or 0


def shared(base):
    """The folder for what all processes of pytest-xdist may share: caches."""
    return base.parent if base.name.startswith("popen-") else base


def environment(base):
    """Environment of a process of its own: nothing is read from or written to the user's folders."""
    hidden = base / "hidden"
    hidden.mkdir(exist_ok=True)
    # Keras imports these wherever it finds them, which takes seconds; TensorFlow prints, too.
    for name in ("tensorflow", "pandas"):
        (hidden / f"{name}.py").write_text('raise ImportError("hidden from this test")')
    paths = [hidden, TESTS.parent, TESTS]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "XDG_CACHE_HOME": str(shared(base) / "cache"),
        "KERAS_HOME": str(base / "keras"),
        "MPLCONFIGDIR": str(shared(base) / "matplotlib"),
        "KERAS_BACKEND": "jax",
    }


@contextlib.contextmanager
def kept_compilations(base):
    """What was compiled is kept in a file: equal programs of the many small runs are compiled once."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    for name, value in zip(names, (str(shared(base) / "compiled"), 0), strict=True):
        jax.config.update(name, value)
    compilation_cache.reset_cache()  # JAX asks for the folder once
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def python(base, *words, **options):
    """Run `python -W error WORDS` to its end; its output is text."""
    options = {"env": environment(base), "capture_output": True, "text": True, "timeout": 300} | options
    return subprocess.run([sys.executable, "-W", "error", *words], **options)


def one_line(text):
    """Whether `text` is one line and no traceback."""
    return text.count("\n") == 1 and "Traceback" not in text


def replayed(experiment, steps):
    """State and metrics of `experiment` after so many steps, one at a time, as `fit` sets out."""
    from ganjax import init_state, train_step

    init_key, data_key, _, _ = jax.random.split(jax.random.key(experiment.seed), 4)
    source, _ = experiment.load(False)
    step = jax.jit(train_step, static_argnums=0)
    state, metrics = init_state(experiment.gan, init_key), []
    plan = source.plan(data_key, 0, steps, experiment.batch)
    for i in range(steps):
        state, now = step(experiment.gan, state, source.fetch(plan[i], experiment.batch))
        metrics.append(now)
    return state, metrics
