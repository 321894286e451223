"""Compiled programs are stored, up to a total size, unless the user chose otherwise or it is impossible."""

import os
import shutil
from pathlib import Path

import pytest
import small_runs

from ganjax.system import compilation_cache

COMPILE = """
import os, resource, sys
from pathlib import Path
import jax
from ganjax.system.compilation_cache import keep_compilations
events = []
jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
print(keep_compilations(Path(sys.argv[1])))
if jax.config.jax_compilation_cache_dir:
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
if "DISK_IS_FULL" in os.environ:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
print(jax.jit(lambda x: x * 2 + 1)(3.0), any("cache_hits" in event for event in events))
"""


def compiled(base, folder, **variables):
    """Whether a process stored programs in `folder`, and whether it found one there."""
    ended = small_runs.python(base, "-c", COMPILE, folder, env=small_runs.environment(base) | variables)
    assert (ended.returncode, ended.stderr) == (0, "")
    kept, result, found = ended.stdout.split()
    assert result == "7.0"
    return kept == "True", found == "True"


def files(folder):
    return [file for file in folder.rglob("*") if file.is_file() and file.name != "looked"]


def test_a_second_process_finds_what_the_first_compiled(base, tmp_path):
    assert compiled(base, tmp_path / "kept") == (True, False)
    assert files(tmp_path / "kept")
    assert compiled(base, tmp_path / "kept") == (True, True)


@pytest.fixture(scope="module")
def kept(base):
    """A folder of stored programs, to copy and damage."""
    compiled(base, base / "kept")
    return base / "kept"


def flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def cut(content):
    return content[:-1]


def emptied(content):
    return b""


@pytest.mark.parametrize("damage", [cut, flipped])
def test_a_damaged_file_is_compiled_again_without_a_warning(base, kept, tmp_path, damage):
    shutil.copytree(kept, tmp_path / "kept")
    for file in files(tmp_path / "kept"):
        file.write_bytes(damage(file.read_bytes()))
    assert compiled(base, tmp_path / "kept") == (True, False)


def test_a_file_is_checked_only_once(kept, tmp_path, monkeypatch):
    shutil.copytree(kept, tmp_path / "kept")
    keep = compilation_cache._remove_damaged
    home = files(tmp_path / "kept")[0].parent
    keep(home)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} is read"))
    keep(home)


@pytest.mark.parametrize("damage", [cut, flipped, emptied])
def test_a_damaged_file_is_removed(kept, tmp_path, damage):
    shutil.copytree(kept, tmp_path / "kept")
    first, *others = sorted(files(tmp_path / "kept"))
    content = first.read_bytes()
    compilation_cache._remove_damaged(first.parent)
    assert first.read_bytes() == content
    first.write_bytes(damage(content))
    compilation_cache._remove_damaged(first.parent)
    assert sorted(files(tmp_path / "kept")) == others


def test_a_full_disk_costs_only_a_compilation(base, tmp_path):
    assert compiled(base, tmp_path, DISK_IS_FULL="yes") == (True, False)
    assert not any(file.stat().st_size for file in files(tmp_path))
    assert compiled(base, tmp_path) == (True, False)
    assert compiled(base, tmp_path) == (True, True)  # the empty file was replaced


def test_the_users_settings_have_priority(base, tmp_path):
    assert compiled(base, tmp_path / "ours", JAX_ENABLE_COMPILATION_CACHE="false") == (False, False)
    theirs = tmp_path / "theirs"
    assert compiled(base, tmp_path / "ours", JAX_COMPILATION_CACHE_DIR=str(theirs)) == (False, False)
    assert not (tmp_path / "ours").exists()
    assert files(theirs)


def test_without_a_writable_folder_nothing_is_stored(base, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert compiled(base, tmp_path / "file" / "folder") == (False, False)


def test_only_a_private_folder_is_used(tmp_path, monkeypatch):
    assert compilation_cache._is_private(tmp_path)
    for mode, expected in ((0o755, True), (0o775, True), (0o777, False), (0o1777, False)):
        tmp_path.chmod(mode)
        assert compilation_cache._is_private(tmp_path) == expected
    tmp_path.chmod(0o700)
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
        assert not compilation_cache._is_private(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert not compilation_cache._is_private(tmp_path)


def test_a_folder_that_others_can_write_is_not_used(base, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept").chmod(0o777)
    assert compiled(base, tmp_path / "kept") == (False, False)


def test_a_new_folder_is_private(base, tmp_path):
    compiled(base, tmp_path / "kept")
    for folder in (tmp_path / "kept", *(tmp_path / "kept").iterdir()):
        assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("most", "left"), [(1000, 3), (300, 3), (299, 2), (150, 1), (0, 0)])
def test_the_oldest_programs_go_first(tmp_path, most, left):
    names = ["new", "middle", "old"]
    for age, name in enumerate(names):
        (tmp_path / name).mkdir()
        (tmp_path / name / "program").write_bytes(bytes(100))
        os.utime(tmp_path / name / "program", (1e9 - age, 1e9 - age))
    compilation_cache._remove_oldest(tmp_path, most)
    assert sorted(file.parent.name for file in files(tmp_path)) == sorted(names[:left])


def test_importing_ganjax_stores_nothing(base):
    core_and_training = "import ganjax, jax; ganjax.train_step, ganjax.training.fit"
    ended = small_runs.python(base, "-c", f"{core_and_training}; print(jax.config.jax_compilation_cache_dir)")
    assert ended.stdout == "None\n"
