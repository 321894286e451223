"""`python -m benchmarks.throughput.paths.probe jax|tensorflow` prints its version and its first GPU."""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any


def gpu_of(package: str, module: Any) -> str | None:
    """The name of the first GPU that JAX or TensorFlow finds, or None."""
    if package == "jax":
        try:
            return module.devices("gpu")[0].device_kind
        except RuntimeError:  # no such platform
            return None
    found = module.config.list_physical_devices("GPU")
    return (
        module.config.experimental.get_device_details(found[0]).get("device_name", "GPU") if found else None
    )


if __name__ == "__main__":
    package = os.environ["KERAS_BACKEND"] = sys.argv[1]
    module = importlib.import_module(package)
    importlib.import_module("keras")
    print(json.dumps({"version": module.__version__, "gpu": gpu_of(package, module)}))
