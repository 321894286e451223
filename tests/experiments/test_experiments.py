"""Every named experiment: registered, documented, and able to build, load and draw."""

import ast
import dataclasses
import inspect
import subprocess
import sys

import jax
import numpy as np
import pytest
import small_runs
from PIL import Image

from ganjax import experiments, stateless, train_step
from ganjax.experiments import (
    EXPERIMENTS,
    Experiment,
    base,
    cartoon,
    landscapes,
    pacgan,
    points,
    published,
    recipe,
    toy,
)
from ganjax.training.loop import initial_state

# The smallest of each that is still itself.
SMALL = {
    "cartoon": {"size": 32, "images": 4, "batch": 2},
    "cartoon-full": {"size": 32, "images": 4, "batch": 2, "width": 2, "discriminator_width": 2},
    "original-cartoon": {"images": 4, "batch": 2},
    "original-toy": {"batch": 50},
    "unrolled": {"unrolling": 2},
}


def small(name, cache):
    kind = EXPERIMENTS[name]
    narrow = {f.name: 4 for f in dataclasses.fields(kind) if f.name.endswith("width")}
    cached = {f.name: str(cache) for f in dataclasses.fields(kind) if f.name == "cache_dir"}
    return kind(**{"steps": 2} | narrow | cached | SMALL.get(name, {}))


def concrete_classes(kind=Experiment):
    named = [kind] if "name" in vars(kind) else []
    return named + [found for sub in kind.__subclasses__() for found in concrete_classes(sub)]


def test_every_experiment_is_registered_by_its_name():
    mine = [kind for kind in concrete_classes() if kind.__module__.startswith("ganjax.")]
    assert sorted(EXPERIMENTS) == sorted(kind.name for kind in mine)
    assert all(EXPERIMENTS[kind.name] is kind for kind in mine)
    assert {kind.__name__ for kind in mine} <= set(experiments.__all__)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_docstring_says_what_it_is_and_names_the_command(name):
    title, blank, *rest = inspect.cleandoc(EXPERIMENTS[name].__doc__).splitlines()
    assert title.endswith(".")
    assert blank == ""
    assert any(line.startswith(f"ganjax train {name}") for line in rest)


@pytest.mark.parametrize("module", [base, cartoon, landscapes, pacgan, points, published, recipe, toy])
def test_every_field_is_documented(module):
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if not isinstance(node, ast.ClassDef):
            continue
        for field, after in zip(node.body, [*node.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign) and "ClassVar" not in ast.unparse(field.annotation):
                documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                assert documented, f"{node.name}.{field.target.id}"
                assert after.value.value.endswith(".")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_builds_loads_and_draws(name, base, tmp_path):
    experiment = small(name, base / "cache")
    source, about = experiment.load(False)
    assert about["name"]
    assert stateless.without_values(lambda: experiment.gan)  # the state below draws them

    def first_step(state, source, key):
        batch = experiment.batch * experiment.gan.discriminator_updates
        plan = source.plan(key, 0, 1, batch)
        return train_step(experiment.gan, state, source.fetch(plan[0], batch))

    state = initial_state(experiment, jax.random.key(0))
    jax.eval_shape(first_step, state, source, jax.random.key(0))  # the data fit the GAN
    twice = name in ("cartoon", "original-toy", "ring")  # one of each kind of picture
    for picture in ("a.png", "b.png") if twice else ("a.png",):
        experiment.draw(tmp_path / picture, state, source, jax.random.key(1))
    with Image.open(tmp_path / "a.png") as picture:
        assert min(picture.size) >= 200
        assert np.ptp(np.asarray(picture.convert("L"))) > 20  # not one colour
    if twice:
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    scores = experiment.score(state, source, jax.random.key(2))
    assert all(isinstance(score, float) and np.isfinite(score) for score in scores.values())


def test_seeds_that_are_accepted_give_different_keys():
    seeds = (0, 1, 2**31, 2**32 - 1)
    keys = {tuple(jax.random.key_data(jax.random.key(small_runs.Dots(seed=s).seed)).tolist()) for s in seeds}
    assert len(keys) == len(seeds)


def test_naming_an_experiment_imports_nothing_heavy():
    program = (
        "import sys, ganjax.experiments as e; e.EXPERIMENTS['ring'](), e.Cartoon();"
        "sys.exit(', '.join({'jax', 'keras', 'optax', 'numpy', 'PIL', 'matplotlib'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ended.stderr == "\n" or ended.stderr == ""
