"""Digests of what a run has written, and how metrics.csv is continued."""

import json

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.runs.record import MetricsWriter, Record, sha256_of
from ganjax.runs.run_folder import RunFolder

# metrics.csv


def test_each_row_is_there_as_soon_as_it_is_written(tmp_path):
    writer = MetricsWriter(tmp_path / "metrics.csv")
    for step in (1, 2):
        writer.write({"step": step, "loss": step / 3})
        assert pandas.read_csv(tmp_path / "metrics.csv").step.tolist() == list(range(1, step + 1))
    writer.close()
    assert (tmp_path / "metrics.csv").read_bytes() == b"step,loss\n1,0.333333333\n2,0.666666667\n"


@given(st.lists(st.floats(width=32), min_size=1, max_size=9))
def test_every_float32_comes_back_exactly(tmp_path, values):
    path = tmp_path / "metrics.csv"
    writer = MetricsWriter(path)
    for step, value in enumerate(values):
        writer.write({"step": step, "loss": value})
    writer.close()
    table = pandas.read_csv(path)
    assert table.step.tolist() == list(range(len(values)))
    np.testing.assert_array_equal(table.loss.to_numpy().astype(np.float32), np.float32(values))


def test_what_ends_a_run_stands_behind_the_rest(tmp_path):
    path = tmp_path / "metrics.csv"
    writer = MetricsWriter(path)
    writer.write({"step": 5, "loss": 0.5})
    secure = writer.secure()
    writer.write({"step": 7, "loss": 0.7}, ends=True)
    assert writer.secure() == secure
    assert writer.end == "7,0.7\n"
    writer.close()
    assert path.read_bytes() == b"step,loss\n5,0.5\n7,0.7\n"

    longer = MetricsWriter(path, size=secure[0])
    longer.write({"step": 10, "loss": 1.0})
    longer.close()
    assert path.read_bytes() == b"step,loss\n5,0.5\n10,1\n"
    MetricsWriter(path, size=secure[0], end="7,0.7\n").close()
    assert path.read_bytes() == b"step,loss\n5,0.5\n7,0.7\n"


def test_the_header_may_be_what_ends_it(tmp_path):
    writer = MetricsWriter(tmp_path / "metrics.csv")
    writer.write({"step": 3, "loss": 0.5}, ends=True)
    assert writer.secure()[0] == 0
    assert writer.end == "step,loss\n3,0.5\n"
    writer.close()


# Record


def a_record():
    return Record(
        (4, "ab"), "7,1\n", {"step_0000001.png": "cd"}, {"1": "ef"}, {"step": 2, "score": "s", "value": 0.5}
    )


def test_a_record_comes_back_from_json():
    for record in (a_record(), Record()):
        assert Record.from_json(json.loads(json.dumps(record.as_json()))) == record


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
PARTS = [
    ("metrics",),
    ("metrics", "bytes"),
    ("metrics", "sha256"),
    ("metrics", "end"),
    ("pictures",),
    ("digests",),
]
PARTS += [("best",), ("best", "step"), ("best", "value"), ("pictures", "step_0000001.png")]


@given(st.sampled_from(PARTS), JSON)
def test_any_json_is_a_record_or_refused(tmp_path, path, value):
    values = a_record().as_json()
    inner = values
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    try:
        record = Record.from_json(values)
    except (KeyError, TypeError, ValueError):
        return
    record.missing_from(RunFolder(tmp_path))  # which can be asked of it
    assert record.best is None or RunFolder(tmp_path).best_path(record.best["step"])


@pytest.mark.parametrize("name", ["../manifest.json", "/etc/passwd", "a\0b", "final.png"])
def test_no_record_leads_out_of_its_folder(name):
    values = a_record().as_json()
    with pytest.raises(ValueError, match="picture"):
        Record.from_json(values | {"pictures": {name: "ab"}})


def test_what_is_missing_is_named(tmp_path):
    folder = RunFolder.create(tmp_path)
    folder.samples.mkdir(exist_ok=True)
    folder.metrics_path.write_bytes(b"rows and more")
    folder.picture_path(1).write_bytes(b"a picture")
    record = Record((4, sha256_of(folder.metrics_path, 4)), pictures={"step_0000001.png": ""})
    assert record.missing_from(folder) == "samples/step_0000001.png is missing or changed"
    record.pictures["step_0000001.png"] = sha256_of(folder.picture_path(1))
    assert record.missing_from(folder) is None
    folder.metrics_path.write_bytes(b"row")
    assert "metrics.csv" in record.missing_from(folder)
    folder.metrics_path.unlink()
    assert "metrics.csv" in record.missing_from(folder)
    assert Record().missing_from(folder) is None
