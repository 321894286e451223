import stat

import nvidia_outputs as outputs
import pytest

from benchmarks import nvidia


@pytest.mark.parametrize(
    ("text", "name", "driver", "memory", "power", "clock"),
    [
        (outputs.KEPLER, "Tesla K80", "418.87.01", 11441, 149, 875),
        (outputs.TURING, "Tesla T4", "460.32.03", 15109, 70, 1590),
        (outputs.VOLTA, "Tesla V100-SXM2-16GB", "450.80.02", 16160, 300, 1530),
        (outputs.AMPERE_SLICED, "NVIDIA A100-SXM4-40GB", "470.57.02", 40536, 400, 1410),
        (outputs.HOPPER, "NVIDIA H100 80GB HBM3", "535.104.05", 81559, 700, 1980),
        (outputs.ADA, "NVIDIA GeForce RTX 4090", "550.54.14", 24564, 450, 3105),
        (outputs.LAPTOP, "NVIDIA GeForce RTX 3070 Laptop GPU", "525.85.05", 8192, None, 2100),
        (outputs.OLD_LAPTOP, "GeForce 940MX", "390.116", 2004, None, None),
        (outputs.LOST, "NVIDIA A100-PCIE-40GB", "470.57.02", None, None, None),
    ],
    ids=lambda value: value.split(", ")[9] if isinstance(value, str) and "\n" in value else None,
)
def test_generations(text, name, driver, memory, power, clock):
    gpu = nvidia.parse(text)[0]
    assert set(gpu) == set(nvidia.FIELDS.values())
    assert (gpu["index"], gpu["name"], gpu["driver"]) == (0, name, driver)
    assert (gpu["memory_mib"], gpu["power_limit_w"], gpu["sm_clock_limit_mhz"]) == (memory, power, clock)
    assert nvidia.sentence(gpu).startswith(f"GPU 0: {name}")
    assert "None" not in nvidia.sentence(gpu)


def test_several_gpus_and_instances():
    first, second = nvidia.parse(outputs.AMPERE_SLICED)
    assert [first["index"], second["index"]] == [0, 1]
    assert [first["mig"], second["mig"]] == ["Enabled", "Disabled"]
    assert "divided into instances" in nvidia.sentence(first)
    assert "divided into instances" not in nvidia.sentence(second)
    assert [gpu["mig"] for gpu in nvidia.parse(outputs.KEPLER)] == [None, None]
    assert [gpu["sm_clock_mhz"] for gpu in nvidia.parse(outputs.AMPERE_SLICED)] == [210, 1155]


def test_messages_around_the_table_are_ignored():
    text = f"WARNING: infoROM is corrupted at gpu 0000:00:1E.0\n{outputs.HOPPER}a last word\n"
    assert nvidia.parse(text) == nvidia.parse(outputs.HOPPER)


@pytest.mark.parametrize("text", ["", outputs.NO_DRIVER, outputs.NO_DEVICES, outputs.HEADER])
def test_no_table_no_gpus(text):
    assert nvidia.parse(text) == []


def tool(folder, monkeypatch, script: str) -> None:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_the_output_of_the_tool_is_used(tmp_path, monkeypatch):
    tool(tmp_path, monkeypatch, f"printf %s '{outputs.ADA}'")
    assert nvidia.gpus() == (nvidia.parse(outputs.ADA), None)


def test_an_old_driver_is_asked_again_without_the_unknown_field(tmp_path, monkeypatch):
    script = f"""
case "$1" in
  *mig*) printf %s '{outputs.UNKNOWN_FIELD}'; exit 2 ;;
  *) printf %s '{outputs.KEPLER}' ;;
esac"""
    tool(tmp_path, monkeypatch, script)
    assert nvidia.gpus() == (nvidia.parse(outputs.KEPLER), None)


@pytest.mark.parametrize(
    ("text", "code", "note"),
    [
        (outputs.NO_DRIVER, 9, "couldn't communicate with the NVIDIA driver"),
        (outputs.MISMATCH, 18, "Driver/library version mismatch"),
        (outputs.NO_DEVICES, 6, "No devices were found"),
        (outputs.NO_DEVICES, 0, "No devices were found"),
        ('Field "name" is not a valid field to query.', 2, "not a valid field"),
        ("", 127, "printed nothing"),
    ],
)
def test_a_failing_tool_gives_a_note_of_one_line(tmp_path, monkeypatch, text, code, note):
    (tmp_path / "text").write_text(text)
    tool(tmp_path, monkeypatch, f"cat {tmp_path}/text; exit {code}")
    found, said = nvidia.gpus()
    assert found == []
    assert note in said
    assert "\n" not in said


def test_no_tool(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert nvidia.gpus() == ([], "no nvidia-smi on this machine")


def test_a_tool_that_hangs(tmp_path, monkeypatch):
    tool(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(nvidia, "_SECONDS", 0.05)
    assert nvidia.gpus() == ([], "nvidia-smi does not answer: TimeoutExpired")
