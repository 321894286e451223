"""The device of the paths on JAX: its name and its memory."""

from __future__ import annotations

import jax


def describe(wanted: str) -> str:
    """The name of the first device, which must be of the `wanted` kind: "cpu" or "gpu".

    Raises:
        RuntimeError: JAX has no such device.
    """
    device = jax.devices()[0]
    if device.platform != wanted:
        raise RuntimeError(f"JAX finds no {wanted.upper()}, only {device.platform} devices")
    return device.device_kind


def peak_memory() -> int | None:
    """Most bytes ever in use on the device; None for a CPU, which does not count them."""
    counts = jax.devices()[0].memory_stats() or {}
    return counts.get("peak_bytes_in_use")
