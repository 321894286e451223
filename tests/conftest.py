"""Every test runs under JAX's strictest rules: no implicit promotion of dtypes or ranks."""

import gc
import os
import signal
import sys
import threading
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# Nearly all of the time that tests take goes into compiling, and most of that into optimising what runs once.
# Without it, with XLA's older and simpler generator of CPU code, and with each program as one module of LLVM,
# a step compiles in a fifth of the time. That generator may round an expression differently in two programs:
# where tests compare the bits of two, `by_hand.SAME_BITS` switches it off again.
# What must hold of optimised programs is tested in training/test_optimized_programs.py and by .ci/run.
os.environ["XLA_FLAGS"] = " ".join(
    [
        "--xla_backend_optimization_level=0",
        "--xla_llvm_disable_expensive_passes=true",
        # From 0.11 on there may be no such generator, and an unknown flag ends the process.
        *(["--xla_cpu_use_fusion_emitters=false"] if version("jaxlib") < "0.11" else []),
        "--xla_cpu_parallel_codegen_split_count=1",
        *os.environ.get("XLA_FLAGS", "").split(),
    ]
)

# Modules there hide others of the same names, in this process and in those that tests start.
sys.path.insert(0, str(Path(__file__).parent / "hidden"))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [sys.path[0], os.environ.get("PYTHONPATH")]))

os.environ.pop("COLUMNS", None)  # pytest-xdist gives its processes a width: no terminal of ours has one

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    and threading.current_thread() is threading.main_thread()
):
    # What a shell starts with `&` ignores Ctrl-C, and so would all that is tested of it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

import hypothesis
import jax
import pytest
from browser_fixtures import browser, visit  # noqa: F401

import ganjax  # noqa: F401  (chooses Keras's backend before any test imports keras)

hypothesis.settings.register_profile(
    "ganjax",
    deadline=None,  # the first example compiles
    derandomize=True,
    max_examples=25,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("ganjax")


@pytest.fixture(autouse=True)
def _strict_promotion():
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        yield


@pytest.fixture(autouse=True, scope="module")
def _memory_for_programs():
    """JAX keeps every program it compiled, in several pieces of memory each, and Linux gives a process 65 530
    (vm.max_map_count): the suite compiles more than fit, and the first beyond them aborts Python.
    """
    yield
    pieces = Path("/proc/self/maps")
    if pieces.exists() and pieces.read_bytes().count(b"\n") > 25_000:
        jax.clear_caches()
        gc.collect()


@pytest.fixture
def key():
    return jax.random.key(0)
