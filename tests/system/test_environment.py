"""What a run's results depend on besides its settings is recorded, and differences are listed."""

import json

import jax
import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.system import environment as module
from ganjax.system.environment import differences, environment, versions


def test_it_is_json_and_equal_to_itself():
    here = environment()
    assert json.loads(json.dumps(here)) == here
    assert differences(here, here) == []
    assert here["versions"]["jax"] == jax.__version__
    assert here["threads"] >= 1


def test_flags_are_those_that_change_results(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    monkeypatch.setenv("HOME_SWEET", "home")
    monkeypatch.delenv("JAX_ENABLE_X64", raising=False)
    flags = environment()["flags"]
    assert flags["XLA_FLAGS"] == "--xla_cpu_enable_fast_math=true"
    assert not {"HOME_SWEET", "JAX_ENABLE_X64"} & flags.keys()


def test_flags_have_settings_of_jax_and_keras_that_are_not_default():
    libraries = {"JAX_ENABLE_X64", "JAX_THREEFRY_PARTITIONABLE", "keras floatx", "keras image_data_format"}
    assert not libraries & environment()["flags"].keys()
    keras.config.set_floatx("float16")
    try:
        with jax.enable_x64(True), jax.threefry_partitionable(False):
            flags = environment()["flags"]
    finally:
        keras.config.set_floatx("float32")
    found = {"JAX_ENABLE_X64": "True", "JAX_THREEFRY_PARTITIONABLE": "False", "keras floatx": "float16"}
    assert found.items() <= flags.items()


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ({"threads": 2}, {"threads": 4}, ["threads: 2, here 4"]),
        ({"versions": {"jax": "1"}}, {"versions": {"jax": "2"}}, ["versions jax: 1, here 2"]),
        ({"a": 1}, {}, ["a: 1, here nothing"]),
        ({"instructions": "avx fma"}, {"instructions": "fma avx"}, []),
        (
            {"instructions": "avx avx512f"},
            {"instructions": "avx sve"},
            ["instructions not here: avx512f", "instructions only here: sve"],
        ),
        (None, {}, ["one of the two environments is unknown"]),
    ],
)
def test_differences_in_words(one, other, said):
    assert differences(one, other) == said


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.sampled_from(["a", "instructions", "versions"]), inner),
    max_leaves=5,
)


@given(VALUES, VALUES)
def test_any_json_can_be_compared(one, other):
    lines = differences(one, other)
    assert all(isinstance(line, str) for line in lines)
    if isinstance(one, dict) and one == other:
        assert lines == []


@pytest.mark.parametrize(
    ("commit", "status", "known"),
    [("abc", "", "abc"), ("abc", " M ganjax/gan.py", "abc-modified"), (None, None, None)],
)
def test_the_commit_is_named_where_it_is_known(monkeypatch, commit, status, known):
    def output(command):
        return commit if "rev-parse" in command else status

    monkeypatch.setattr(module, "_output", output)
    monkeypatch.setattr(module.Path, "exists", lambda path: True)
    monkeypatch.setattr(module.shutil, "which", lambda name: "/bin/git")
    module._commit.cache_clear()
    assert versions().get("ganjax commit") == known
    module._commit.cache_clear()
