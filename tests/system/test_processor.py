"""The processor's name and instructions are read from what the system says."""

import os
import platform

import pytest

from ganjax.system import process

EPYC = """\
processor\t: 0
model name\t: AMD EPYC 7B13
flags\t\t: fpu sse4_2 avx avx2 fma
processor\t: 1
model name\t: AMD EPYC 7B13
flags\t\t: fpu sse4_2 avx avx2 fma
"""
XEON = """\
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t: avx2 avx512f avx512_bf16 amx_bf16
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd sve bf16\nCPU part\t: 0xd40\n"


@pytest.mark.parametrize(
    ("cpuinfo", "name", "flags"),
    [
        (EPYC, "AMD EPYC 7B13", {"fpu", "sse4_2", "avx", "avx2", "fma"}),
        (
            XEON,
            "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz",
            {"avx2", "avx512f", "avx512_bf16", "amx_bf16"},
        ),
        (ARM, platform.processor() or platform.machine(), {"fp", "asimd", "sve", "bf16"}),
        ("", platform.processor() or platform.machine(), set()),
    ],
)
def test_names_and_flags(cpuinfo, name, flags):
    assert process.parse(cpuinfo) == (name, flags)


def test_elsewhere_python_knows_a_name(monkeypatch, tmp_path):
    monkeypatch.setattr(process, "CPUINFO", tmp_path / "nothing")
    assert process.processor() == (platform.processor() or platform.machine(), set())


def test_cores_are_those_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7}, raising=False)
    assert process.cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert process.cores() == 1
