"""Modules that only read and write results do not import JAX and Keras, which takes seconds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "module",
    [
        "machine",
        "workers",
        "throughput.results",
        "throughput.report",
        "throughput.picture",
        "compare.command",
        "step_breakdown.command",
    ],
)
def test_is_imported_without_jax_and_keras(module):
    """`step_breakdown.command` sets the environment that JAX reads when it is imported."""
    program = (
        f"import sys, benchmarks.{module}; assert not {{'jax', 'keras', 'matplotlib'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
