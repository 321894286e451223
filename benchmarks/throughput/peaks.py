"""The machine's fastest matrix products and memory traffic, with which rows of results are compared.

    python -m benchmarks.throughput.peaks float32 bfloat16

Run in a separate process, with the environment of the timed paths, it prints one line of JSON:

    {"float32": {"gflops": 340.2, "size": 2048, "gflops_by_size": {"1024": 331.9, "2048": 340.2}},
     "bandwidth_gb_s": 30.1, "device": "cpu"}

The products are those of square matrices by XLA, on the device that JAX chooses; the fastest of several sizes
and rounds counts. `float32` excludes TF32, `tf32` uses it. The bandwidth is that of a <- a + s b on arrays
much larger than any cache, with two reads and one write for each value.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

PRECISIONS = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "default"}
SIZES = {"cpu": (1024, 2048, 4096), "gpu": (4096, 8192, 16384)}
VALUES = {"cpu": 2**26, "gpu": 2**28}  # of each array of the memory test: 256 MB, 1 GB
ROUNDS = 5


def main(words: list[str] | None = None) -> None:
    """Measure and print the result."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput.peaks",
        description="Measure the speed of matrix products and the memory bandwidth of this machine.",
    )
    parser.add_argument("precision", nargs="+", choices=PRECISIONS)
    parser.add_argument(
        "--seconds", type=float, default=0.3, help="approximate length of each timing (default 0.3)"
    )
    asked = parser.parse_args(words)
    print(json.dumps(measure(asked.precision, seconds=asked.seconds)))


def measure(
    precisions: Sequence[str], *, seconds: float, sizes: Sequence[int] = (), values: int = 0
) -> dict[str, Any]:
    """The figures in this module's docstring.

    Args:
        precisions: keys of `PRECISIONS`.
        seconds: approximate length of each timing.
        sizes: of the matrices; by default those for this kind of device.
        values: in each array of the memory test; by default the number for this kind of device.
    """
    kind = "cpu" if jax.default_backend() == "cpu" else "gpu"
    found: dict[str, Any] = {}
    for precision in precisions:
        rates = {str(n): product_gflops(n, precision, seconds) for n in sizes or SIZES[kind]}
        best = max(rates, key=lambda n: rates[n])
        found[precision] = {"gflops": rates[best], "size": int(best), "gflops_by_size": rates}
    bandwidth = bandwidth_gb_s(values or VALUES[kind], seconds)
    return found | {"bandwidth_gb_s": bandwidth, "device": jax.devices()[0].device_kind}


def product_gflops(n: int, precision: str, seconds: float) -> float:
    """Speed of the product of two `(n, n)` matrices, in 1e9 operations per second."""
    dtype = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
    a, b = jax.random.normal(jax.random.key(0), (2, n, n), dtype) / n**0.5

    @jax.jit
    def product(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.matmul(a, b, precision=PRECISIONS[precision])

    return 2e-9 * n**3 / _seconds_of_a_call(lambda x: product(x, b), a, seconds)


def bandwidth_gb_s(values: int, seconds: float) -> float:
    """Memory traffic of a <- a + s b on float32 arrays of `values` numbers, in 1e9 bytes per second."""
    a, b = jnp.zeros((2, values), jnp.float32)
    triad = jax.jit(lambda a, b: a + 0.5 * b, donate_argnums=0)
    return 3e-9 * a.nbytes / _seconds_of_a_call(lambda x: triad(x, b), a, seconds)


def _seconds_of_a_call(function: Callable[[jax.Array], jax.Array], x: jax.Array, seconds: float) -> float:
    """Seconds of a call in the fastest round; each call needs the last result, so that none is skipped."""
    for _ in range(2):  # compile, warm up
        x = jax.block_until_ready(function(x))
    calls, best = 1, float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(calls):
            x = function(x)
        jax.block_until_ready(x)
        best = min(best, (time.perf_counter() - start) / calls)
        calls = max(1, round(seconds / best))
    return best


if __name__ == "__main__":
    main()
