"""What this machine can do at most: matrix products and memory traffic, the measure of every row's share.

    python -m benchmarks.throughput.peaks float32 bfloat16

Run in a process of its own, with the environment the timed paths get, it prints one line of JSON:

    {"float32": {"gflops": 340.2, "size": 2048, "gflops_by_size": {"1024": 331.9, "2048": 340.2}},
     "bandwidth_gb_s": 30.1, "device": "cpu"}

The products are XLA's, of square matrices on the device JAX chooses; the best of several sizes and rounds
counts, since nothing makes a product faster than the machine allows. `float32` forbids TF32, `tf32` asks for
it. The bandwidth is that of a <- a + s b over arrays far larger than any cache: two reads and one write a
value.
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
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput.peaks",
        description="This machine's matrix products and memory bandwidth.",
    )
    parser.add_argument("precision", nargs="+", choices=PRECISIONS)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each timing, about (default 0.3)")
    asked = parser.parse_args(words)
    print(json.dumps(measure(asked.precision, seconds=asked.seconds)))


def measure(
    precisions: Sequence[str], *, seconds: float, sizes: Sequence[int] = (), values: int = 0
) -> dict[str, Any]:
    """The figures in this module's docstring.

    Args:
        precisions: keys of `PRECISIONS`.
        seconds: length of each timing, about.
        sizes: of the matrices; by default those of this kind of device.
        values: in each array of the memory test; by default as many as this kind of device needs.
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
    """1e9 operations a second of the product of two `(n, n)` matrices."""
    dtype = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
    a, b = jax.random.normal(jax.random.key(0), (2, n, n), dtype) / n**0.5

    @jax.jit
    def product(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.matmul(a, b, precision=PRECISIONS[precision])

    return 2e-9 * n**3 / _seconds_of_a_call(lambda x: product(x, b), a, seconds)


def bandwidth_gb_s(values: int, seconds: float) -> float:
    """1e9 bytes a second of `a + s b` over float32 arrays of so many values, in place of `a`."""
    a, b = jnp.zeros((2, values), jnp.float32)
    triad = jax.jit(lambda a, b: a + 0.5 * b, donate_argnums=0)
    return 3e-9 * a.nbytes / _seconds_of_a_call(lambda x: triad(x, b), a, seconds)


def _seconds_of_a_call(function: Callable[[jax.Array], jax.Array], x: jax.Array, seconds: float) -> float:
    """Of the fastest round; each call takes the last one's result, so that none is left out."""
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
