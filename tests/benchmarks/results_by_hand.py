"""Made-up results, simple enough to compute with by hand."""

from typing import Any

PATHS = ("ganjax-chunk", "keras-jax", "tensorflow-graph", "tensorflow-xla")


def row(path: str, seconds: list[float], **changes: Any) -> dict[str, Any]:
    return {
        "workload": "ring-16",
        "path": path,
        "precision": "float32",
        "deterministic": False,
        "seeds": 1,
        "batch": 64,
        "versions": {"keras": "3.13.2", "tensorflow" if path.startswith("tensorflow") else "jax": "9.9.9"},
        "compile_seconds": 1.25,
        "peak_memory_compiling_bytes": 400_000_000,
        "peak_memory_bytes": 300_000_000,
        "memory_kind": "resident set",
        "steps_per_round": 100,
        "seconds_per_step": seconds,
        "flops_per_step": 2e6,
        "same_work": {"comparable": True, "reason": None},
        "error": None,
    } | changes


def results(rows: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    """Rows of one workload on a machine of 1 TFLOP/s; TensorFlow's graph is faster than its XLA."""
    if rows is None:
        times = ([0.001, 0.002, 0.001], [0.01, 0.02, 0.01], [0.004, 0.006, 0.005], [0.005, 0.008, 0.006])
        rows = [row(path, seconds) for path, seconds in zip(PATHS, times, strict=True)]
    machine = {
        "processor": "AMD EPYC 9999",
        "instructions": "AVX2",
        "cores": 2,
        "memory_bytes": 2**34,
        "system": "Linux 6.1",
        "python": "3.11.9",
        "gpus": [],
        "gpu": None,
        "gpu_note": "no nvidia-smi on this machine",
    }
    return {
        "schema": 1,
        "command": ["python", "-m", "benchmarks", "throughput", "ring-16"],
        "date": "2025-01-31T12:00:00+00:00",
        "quick": False,
        "machine": machine,
        "settings": {"device": "cpu", "deterministic": False, "allocator": "keeps freed memory", "rounds": 3},
        "peaks": {"float32": {"gflops": 1000.0}, "bandwidth_gb_s": 40.0},
        "rows": rows,
        "notes": [],
    } | changes
