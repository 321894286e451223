"""The GPUs of a machine, according to `nvidia-smi`."""

from __future__ import annotations

import csv
import re
import subprocess
from typing import Any

# Fields of `nvidia-smi`, and their names (with units) in results.
FIELDS = {
    "index": "index",
    "name": "name",
    "driver_version": "driver",
    "memory.total": "memory_mib",
    "power.limit": "power_limit_w",
    "clocks.max.sm": "sm_clock_limit_mhz",
    "clocks.max.memory": "memory_clock_limit_mhz",
    "clocks.current.sm": "sm_clock_mhz",
    "mig.mode.current": "mig",
}
WORDS = ("name", "driver", "mig")  # the other fields are numbers

_UNKNOWN_FIELD = re.compile(r'Field "([^"]+)" is not a valid field to query')
_SECONDS = 30.0  # without persistence mode, a GPU takes several seconds to start


def gpus() -> tuple[list[dict[str, Any]], str | None]:
    """`(GPUs, note)`: the GPUs as `parse` returns them, and a line that says why there are none, or None."""
    fields = list(FIELDS)
    while True:
        command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
        except FileNotFoundError:
            return [], "no nvidia-smi on this machine"
        except (OSError, subprocess.TimeoutExpired) as error:
            return [], f"nvidia-smi does not answer: {type(error).__name__}"
        unknown = _UNKNOWN_FIELD.search(done.stdout + done.stderr)
        if unknown and unknown[1] in fields:  # older drivers have fewer fields
            fields.remove(unknown[1])
            continue
        if done.returncode:
            return [], f"nvidia-smi: {_first_line(done.stdout or done.stderr)}"
        found = parse(done.stdout)
        return found, None if found else f"nvidia-smi lists no GPU: {_first_line(done.stdout)}"


def parse(text: str) -> list[dict[str, Any]]:
    """The GPUs in the text of `nvidia-smi --query-gpu=... --format=csv`, one dictionary each.

    Returns:
        `index` (int), `name`, `driver`, `memory_mib`, `power_limit_w`, the highest clocks
        `sm_clock_limit_mhz` and `memory_clock_limit_mhz`, the current `sm_clock_mhz`, and `mig` ("Enabled" if
        the GPU is divided into instances). Unknown values are None.
    """
    lines = text.splitlines()
    header = next((i for i, line in enumerate(lines) if line.startswith("index,")), len(lines))
    rows = csv.reader(lines[header:], skipinitialspace=True)
    names = [FIELDS.get(column.split(" [")[0]) for column in next(rows, [])]
    found = []
    for row in rows:
        if len(row) != len(names):
            continue  # a message between the rows
        known = {name: _value(name, word) for name, word in zip(names, row, strict=True) if name}
        found.append(dict.fromkeys(FIELDS.values()) | known)
    return found


def sentence(gpu: dict[str, Any]) -> str:
    """One GPU in one line of text."""
    parts = [f"GPU {gpu['index']}: {gpu['name']}"]
    if gpu["memory_mib"] is not None:
        parts.append(f"{gpu['memory_mib'] / 1024:.0f} GiB")
    if gpu["power_limit_w"] is not None:
        parts.append(f"power limit {gpu['power_limit_w']:g} W")
    if gpu["sm_clock_limit_mhz"] is not None:
        parts.append(f"clock up to {gpu['sm_clock_limit_mhz']:g} MHz")
    if gpu["mig"] == "Enabled":
        parts.append("divided into instances (MIG)")
    return ", ".join([*parts, f"driver {gpu['driver']}"])


def _value(name: str, word: str) -> str | int | float | None:
    word = word.strip()
    if not word or word == "N/A" or word.startswith("["):  # [N/A], [Not Supported], [Unknown Error], ...
        return None
    if name in WORDS:
        return word
    if name == "index":
        return int(word)
    number = re.match(r"[\d.]+", word)
    return float(number[0]) if number else None


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "it printed nothing")
