"""Commands that only read and write results need neither JAX nor Keras, nor the time to load them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("module", ["machine", "results", "report", "picture", "compare", "breakdown"])
def test_is_imported_without_jax_and_keras(module):
    """`breakdown` too: it chooses JAX's device and precision through the environment, before JAX reads it."""
    program = (
        f"import sys, benchmarks.{module}; assert not {{'jax', 'keras', 'matplotlib'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
