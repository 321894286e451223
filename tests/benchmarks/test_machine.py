import json
import os

import pytest

from benchmarks import machine


def test_this_machine():
    found = machine.describe()
    assert found["cores"] in range(1, (os.cpu_count() or 1) + 1)
    assert found["memory_bytes"] > 2**28
    assert found["gpu"] is None
    assert bool(found["gpus"]) != bool(found["gpu_note"])
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"avx", "avx2", "fma"}, "AVX2"),
        ({"avx2", "avx512f", "avx512_bf16", "amx_bf16"}, "AVX-512 (amx_bf16, avx512_bf16)"),
        ({"fp", "asimd", "sve", "bf16"}, "SVE (bf16)"),
        (set(), "unknown"),
    ],
)
def test_the_widest_instructions(flags, said):
    assert machine.instructions(flags) == said


@pytest.mark.parametrize(
    ("processor", "slug"),
    [
        ("AMD EPYC 9B45 64-Core Processor", "cpu-2x-amd-epyc-avx512"),
        ("Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz", "cpu-2x-intel-xeon-avx512"),
        ("13th Gen Intel(R) Core(TM) i7-1360P", "cpu-2x-intel-i7-avx512"),
        ("Apple M2", "cpu-2x-apple-m2-avx512"),
        ("", "cpu-2x-unknown-avx512"),
    ],
)
def test_slug_of_a_processor(processor, slug):
    described = {
        "processor": processor,
        "instructions": "AVX-512 (bf16)",
        "cores": 2,
        "gpus": [],
        "gpu": None,
    }
    assert machine.slug(described) == slug


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("NVIDIA H100 80GB HBM3", "gpu-h100"),
        ("NVIDIA A100-SXM4-40GB", "gpu-a100"),
        ("Tesla V100-SXM2-16GB", "gpu-v100"),
        ("NVIDIA GeForce RTX 4090", "gpu-rtx-4090"),
        ("NVIDIA GeForce RTX 3070 Laptop GPU", "gpu-rtx-3070-laptop"),
        ("Quadro RTX 8000", "gpu-quadro-rtx-8000"),
    ],
)
def test_slug_of_a_gpu(name, slug):
    gpus = [{"index": 0, "name": "Tesla K80"}, {"index": 1, "name": name}]
    assert machine.slug({"gpus": gpus, "gpu": 1}) == slug


def test_slug_of_a_gpu_that_nvidia_smi_does_not_list():
    assert machine.slug({"gpus": [], "gpu": 0}) == "gpu-unknown"
