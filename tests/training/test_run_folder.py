"""The run folder: made with care, written whole, read with one-line complaints."""

import json
import os

import keras
import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.errors import UserError
from ganjax.training.run_folder import MANIFEST_SCHEMA, MetricsWriter, RunFolder


def a_run(path):
    folder = RunFolder.create(path)
    folder.write_manifest({"status": "finished"})
    (folder.samples / "final.png").write_bytes(b"a picture")
    return folder


def refusal(function, *arguments, **options):
    with pytest.raises(UserError) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_new_folder_is_made_with_its_parents(tmp_path):
    folder = RunFolder.create(tmp_path / "a" / "b")
    assert folder.samples.is_dir()
    assert os.listdir(folder.path) == ["samples"]


def test_a_run_is_replaced_only_when_asked(tmp_path):
    a_run(tmp_path / "run")
    assert "--overwrite" in refusal(RunFolder.create, tmp_path / "run")
    assert (tmp_path / "run" / "samples" / "final.png").exists()
    folder = RunFolder.create(tmp_path / "run", overwrite=True)
    assert os.listdir(folder.path) == ["samples"]
    assert os.listdir(folder.samples) == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_no_run_is_never_deleted(tmp_path, overwrite):
    (tmp_path / "thesis" / "chapter").mkdir(parents=True)
    (tmp_path / "thesis" / "chapter" / "1.tex").write_text("ten years of work")
    assert "not a run" in refusal(RunFolder.create, tmp_path / "thesis", overwrite=overwrite)
    assert (tmp_path / "thesis" / "chapter" / "1.tex").read_text() == "ten years of work"
    assert os.listdir(tmp_path / "thesis") == ["chapter"]


@pytest.mark.parametrize("content", ['{"name": "a browser extension"}', "{", "[]"])
def test_nor_is_one_whose_manifest_is_another_programs(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    refusal(RunFolder.create, tmp_path, overwrite=True)
    assert (tmp_path / "manifest.json").read_text() == content


def test_a_folder_without_files_is_taken_over(tmp_path):
    RunFolder.create(tmp_path / "run")  # and then the run failed
    RunFolder.create(tmp_path / "run")


def test_a_folder_that_cannot_be_made_or_written_is_said_before_training(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        assert "choose another --out" in refusal(RunFolder.create, path)
    (tmp_path / "link").symlink_to(a_run(tmp_path / "run").path)
    assert "choose another --out" in refusal(RunFolder.create, tmp_path / "link", overwrite=True)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    # Not by taking away rights: tests may run as root, whom none can be taken from.
    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert "Permission denied" in refusal(RunFolder.create, tmp_path / "new")


def test_open_finds_runs_only(tmp_path):
    a_run(tmp_path / "run")
    assert RunFolder.open(tmp_path / "run").read_manifest()["status"] == "finished"
    (tmp_path / "file").write_text("")
    for path in ("nowhere", "file"):
        assert "no run" in refusal(RunFolder.open, tmp_path / path)


def test_the_manifest_comes_back_with_its_schema(tmp_path):
    folder = RunFolder.create(tmp_path)
    folder.write_manifest({"a": [1, 2.5, None, "ß"]})
    assert folder.read_manifest() == {"schema": MANIFEST_SCHEMA, "a": [1, 2.5, None, "ß"]}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"3", b"null", b"{}", b'{"schema": "one"}', b"\xff\xfe", b"\x00" * 99]
)
def test_a_damaged_manifest_is_said_in_one_line(tmp_path, content):
    folder = RunFolder.create(tmp_path)
    folder.manifest_path.write_bytes(content)
    assert "manifest.json" in refusal(folder.read_manifest)


def test_a_newer_manifest_asks_for_a_newer_ganjax(tmp_path):
    folder = RunFolder.create(tmp_path)
    folder.manifest_path.write_text(json.dumps({"schema": MANIFEST_SCHEMA + 1}))
    assert "update ganjax" in refusal(folder.read_manifest)


# Nothing is half-written.


def killed(*_, **__):
    raise KeyboardInterrupt


def test_a_manifest_cut_short_leaves_the_one_before(tmp_path, monkeypatch):
    folder = a_run(tmp_path)
    before = folder.manifest_path.read_bytes()
    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        folder.write_manifest({"status": "new"})
    assert folder.manifest_path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["manifest.json", "samples"]


def test_arrays_cut_short_leave_nothing(tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path)

    def half(file, **_):
        file.write(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(KeyboardInterrupt):
        folder.write_arrays(folder.checkpoint_path(3), {"a": np.ones(3)})
    assert os.listdir(folder.path / "checkpoints") == []


def test_a_model_cut_short_leaves_the_one_before(tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    folder.write_model("generator", model)
    before = folder.model_path("generator").read_bytes()

    def half(path, **_):
        path.write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "save", half)
    with pytest.raises(KeyboardInterrupt):
        folder.write_model("generator", model)
    assert folder.model_path("generator").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["generator.keras", "samples"]


def test_arrays_come_back_without_pickle(tmp_path):
    folder = RunFolder.create(tmp_path)
    arrays = {"generator/params/0": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.int32(4)}
    path = folder.checkpoint_path(4)
    folder.write_arrays(path, arrays)
    with np.load(path, allow_pickle=False) as found:
        assert set(found) == set(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype


def test_names_sort_as_steps_do(tmp_path):
    folder = RunFolder(tmp_path)
    names = [folder.picture_path(step).name for step in (9, 10, 999_999)]
    assert names == sorted(names)


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
