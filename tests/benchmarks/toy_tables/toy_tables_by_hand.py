"""A made-up table of toy runs, simple enough to compute with by hand."""

from typing import Any


def run(group: int, seed: int, captured: float | None, **changes: Any) -> dict[str, Any]:
    return {
        "group": group,
        "seed": seed,
        "steps": 1000,
        "captured": captured,
        "high_quality": 0.95,
        "reverse_kl": 0.25,
        "deviation_high_quality": 0.9,
        "energy_p": 0.5,
        "train_seconds": 30.0,
        "diverged_at": None,
        "seconds": 36.0,
    } | changes


def group(recipe: str, landscape: str = "ring", **changes: Any) -> dict[str, Any]:
    return {
        "recipe": recipe,
        "title": recipe,
        "landscape": landscape,
        "experiment": recipe,
        "settings": {"steps": 1000},
        "published": 1000,
    } | changes


def found(groups: list[dict[str, Any]], runs: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    machine = {
        "processor": "AMD EPYC 9999",
        "instructions": "AVX2",
        "cores": 2,
        "memory_bytes": 2**34,
        "system": "Linux 6.1",
        "python": "3.11.9",
        "gpus": [],
        "gpu": None,
        "gpu_note": None,
    }
    settings = {"steps": "published", "seeds": 2, "samples": 2500, "vary": [], "jobs": 2, "device": "cpu"}
    return {
        "date": "2025-01-31T12:00:00+00:00",
        "command": ["python", "-m", "benchmarks", "toy-tables"],
        "seconds": 90.0,
        "machine": machine,
        "versions": {"jax": "9.9.9"},
        "programs": ["jax 9.9.9"],
        "settings": settings | changes.pop("settings", {}),
        "made": len(runs),
        "groups": groups,
        "notes": [],
        "runs": runs,
    } | changes
