"""The run folder: nothing else is deleted, files are written atomically, and errors are one line."""

import json
import os
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from ganjax.runs.run_folder import MANIFEST_SCHEMA, RunFolder, step_of
from ganjax.system.errors import UserError
from ganjax.system.lock import Lock


def a_run(path):
    folder = RunFolder.create(path)
    folder.write_manifest({"status": "finished"})
    folder.samples.mkdir()
    (folder.samples / "final.png").write_bytes(b"a picture")
    return folder


def left(path):
    """What is in a folder, the lock aside."""
    return sorted(set(os.listdir(path)) - {".lock"})


def refusal(function, *arguments, **options):
    with pytest.raises(UserError) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_new_folder_is_made_with_its_parents(tmp_path):
    folder = RunFolder.create(tmp_path / "a" / "b")
    assert left(folder.path) == []


def test_a_run_is_replaced_only_when_asked(tmp_path):
    a_run(tmp_path / "run")
    assert "--overwrite" in refusal(RunFolder.create, tmp_path / "run")
    assert (tmp_path / "run" / "samples" / "final.png").exists()
    folder = RunFolder.create(tmp_path / "run", overwrite=True)
    assert (tmp_path / "run" / "samples" / "final.png").exists()  # until the new one has its data
    folder.make_room()
    assert left(folder.path) == []


def test_a_link_to_a_run_stays_one(tmp_path):
    (tmp_path / "link").symlink_to(a_run(tmp_path / "run").path)
    RunFolder.create(tmp_path / "link", overwrite=True).make_room()
    assert (tmp_path / "link").is_symlink()
    assert left(tmp_path / "run") == []


def test_no_room_is_made_where_nobody_asked(tmp_path):
    folder = a_run(tmp_path / "run")
    assert "--overwrite" in refusal(folder.make_room)
    assert (folder.samples / "final.png").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_no_run_is_never_deleted(tmp_path, overwrite):
    (tmp_path / "thesis" / "chapter").mkdir(parents=True)
    (tmp_path / "thesis" / "chapter" / "1.tex").write_text("ten years of work")
    assert "not a run" in refusal(RunFolder.create, tmp_path / "thesis", overwrite=overwrite)
    assert (tmp_path / "thesis" / "chapter" / "1.tex").read_text() == "ten years of work"
    assert left(tmp_path / "thesis") == ["chapter"]


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
    assert left(tmp_path) == ["manifest.json", "samples"]


def test_a_model_cut_short_leaves_the_one_before(tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    folder.write_model("generator", model)
    before = folder.model_path("generator").read_bytes()

    def half(folder, **_):
        (Path(folder) / "config.json").write_text("half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "save", half)
    with pytest.raises(KeyboardInterrupt):
        folder.write_model("generator", model)
    assert folder.model_path("generator").read_bytes() == before
    assert left(tmp_path) == ["generator.keras"]


def test_equal_models_give_equal_bytes_at_any_time(tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    folder.write_model("generator", model)
    first = folder.model_path("generator").read_bytes()
    monkeypatch.setattr(time, "time", lambda: 0.0)  # in 1970, before zip's calendar begins
    folder.write_model("generator", model)
    assert folder.model_path("generator").read_bytes() == first
    again = keras.models.load_model(folder.model_path("generator"))
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    np.testing.assert_array_equal(again.layers[0].kernel, model.layers[0].kernel)


def test_files_of_steps_are_listed_in_their_order_and_others_are_not(tmp_path):
    folder = RunFolder.create(tmp_path)
    paths = [folder.picture_path(step) for step in (9, 10, 9_999_999, 10_000_000)]
    folder.samples.mkdir()
    for path in [*reversed(paths), folder.samples / "step_last.png", folder.samples / "final.png"]:
        path.write_bytes(b"")
    assert folder.pictures() == paths
    assert [step_of(path) for path in paths] == [9, 10, 9_999_999, 10_000_000]


# What is there already is said, with what can be done about it.


@pytest.mark.parametrize(
    ("manifest", "parts"),
    [
        ({"status": "finished"}, ["finished", "ganjax resume", "--steps", "--overwrite"]),
        ({"status": "running", "steps_done": 3, "steps": 12}, ["3 of 12", "--resume", "--overwrite"]),
        ({"status": "interrupted", "steps_done": 3, "steps": 12}, ["3 of 12", "--resume", "--overwrite"]),
        ({"status": "diverged"}, ["diverged", "--overwrite"]),
        ({"schema": 1, "status": "running"}, ["older ganjax", "--overwrite"]),
        ({}, ["--overwrite"]),  # half a manifest
    ],
)
def test_a_run_that_is_there_says_how_far_it_is(tmp_path, manifest, parts):
    folder = RunFolder.create(tmp_path)
    folder.write_manifest(manifest)
    said = refusal(RunFolder.create, tmp_path)
    for part in [*parts, "choose another --out"]:
        assert part in said


def test_a_run_without_its_manifest_can_be_resumed_and_is_never_deleted(tmp_path):
    folder = RunFolder.create(tmp_path)
    folder.checkpoint_path(3).parent.mkdir()
    folder.checkpoint_path(3).write_bytes(b"a checkpoint")
    for overwrite in (False, True):
        assert "ganjax resume" in refusal(RunFolder.create, tmp_path, overwrite=overwrite)
    assert "ganjax resume" in refusal(RunFolder.open, tmp_path)
    assert folder.checkpoint_path(3).read_bytes() == b"a checkpoint"


def test_a_run_that_another_process_holds_is_not_touched(tmp_path):
    folder = a_run(tmp_path)
    with Lock(folder.path):
        assert "in use by process" in refusal(RunFolder.create, tmp_path, overwrite=True)
    assert (folder.samples / "final.png").exists()
