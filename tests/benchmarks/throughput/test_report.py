import pytest
import results_by_hand as by_hand

from benchmarks.throughput import report


def cells(markdown: str, path: str) -> list[str]:
    (line,) = [line for line in markdown.splitlines() if f"| {path} |" in line]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_of_the_table():
    row = dict(zip(report.COLUMNS, cells(report.table(by_hand.results()), "ganjax-chunk"), strict=True))
    assert row == {
        "workload": "ring-16",
        "batch": "64",
        "path": "ganjax-chunk",
        "ms per step": "1.00",
        "spread": "100%",
        "x TensorFlow": "4.00 (3.00 to 5.00)",
        "x stock Keras": "10.0 (10.0 to 10.0)",
        "of peak": "0.2 %",
        "compile": "1.2 s",
        "peak memory": "300 MB",
        "compiling": "400 MB",
    }


def test_the_bases_are_marked():
    table = report.table(by_hand.results())
    assert cells(table, "tensorflow-graph")[5] == "1"
    assert cells(table, "keras-jax")[6] == "1"


def test_every_row_of_a_table_has_every_column():
    lines = [line for line in report.table(by_hand.results()).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {len(report.COLUMNS) + 1}


def test_each_precision_has_its_own_table():
    rows = by_hand.results()["rows"]
    table = report.table(by_hand.results(rows + [row | {"precision": "bfloat16"} for row in rows]))
    assert table.count("| workload |") == 2
    assert "without TF32" in table
    assert "mixed_bfloat16" in table


@pytest.mark.parametrize("show", [report.table, report.terminal])
def test_rows_that_are_not_comparable_are_marked_with_the_reason(show):
    chunk, stock, graph, xla = by_hand.results()["rows"]
    stock = stock | {"same_work": {"comparable": False, "reason": "losses differ by 0.01"}}
    xla = xla | {"seconds_per_step": [], "compile_seconds": None, "error": "killed for memory"}
    text = show(by_hand.results([chunk, stock, graph, xla]))
    assert text.count("not comparable") == 2
    assert text.count("failed") == 2
    assert "losses differ by 0.01" in text
    assert "killed for memory" in text


def test_the_cost_of_deterministic_kernels():
    rows = by_hand.results()["rows"]
    slow = rows[0] | {"deterministic": True, "seconds_per_step": [0.002, 0.006, 0.0015]}
    table = report.table(by_hand.results([*rows, slow]))
    assert "| ring-16 | float32 | ganjax-chunk | 2.00 (1.50 to 3.00) |" in table
    assert "deterministic" not in report.table(by_hand.results())


def test_terminal_columns_are_aligned():
    header, *body = report.terminal(by_hand.results()).splitlines()[1:]
    for name in ("workload", "path", "x TensorFlow"):
        assert all(line[header.index(name) - 1] == " " for line in body if header.index(name))
    assert [line[header.index("path") :].split()[0] for line in body] == list(by_hand.PATHS)


def test_readme(tmp_path):
    results = by_hand.results(notes=["bfloat16: slower than float32 here"])
    text = report.save(tmp_path, results).read_text()
    assert "2 cores of AMD EPYC 9999, AVX2, 16 GiB; Linux 6.1." in text
    assert "python -m benchmarks throughput ring-16\n" in text
    assert "allocator: keeps freed memory" in text
    assert "- ganjax-chunk, keras-jax: keras 3.13.2, jax 9.9.9\n" in text
    assert "1000 GFLOP/s in float32 matrix products, 40 GB/s" in text
    assert "(throughput.png)" in text
    assert "- bfloat16: slower than float32 here" in text
    assert "These are results of a CPU" in text
    for name in report.COLUMNS:
        assert f"- **{name}**: " in text
    assert "quick" not in text.split("###")[0]


def test_readme_of_a_quick_run_on_a_gpu():
    gpu = {
        "index": 1,
        "name": "NVIDIA H100",
        "driver": "550.54",
        "memory_mib": 81559.0,
        "power_limit_w": 700.0,
        "sm_clock_limit_mhz": 1980.0,
        "memory_clock_limit_mhz": None,
        "sm_clock_mhz": 345.0,
        "mig": "Disabled",
    }
    results = by_hand.results(quick=True, settings={"device": "gpu", "deterministic": True})
    results["machine"] |= {"gpus": [gpu | {"index": 0, "name": "another"}, gpu], "gpu": 1}
    text = report.readme(results)
    assert "GPU 1: NVIDIA H100, 80 GiB, power limit 700 W, clock up to 1980 MHz, driver 550.54" in text
    assert "another" not in text
    assert "deterministic: yes" in text
    assert "A quick run" in text
    assert "results of a CPU" not in text
