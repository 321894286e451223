"""`ganjax info`: versions, devices, cache, experiments."""

import jax
import pytest

import ganjax
from ganjax.cli import main as cli
from ganjax.experiments import EXPERIMENTS


def said(capsys, *words):
    with pytest.raises(SystemExit) as end:
        cli.main(["info", *words])
    assert end.value.code == 0
    out, err = capsys.readouterr()
    assert err == ""
    return dict(line.split(maxsplit=1) for line in out.splitlines())


def test_it_shows_versions_devices_cache_and_experiments(capsys, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "images.u8").write_bytes(bytes(3_000_000))
    facts = said(capsys, "--cache-dir", str(tmp_path))
    assert set(facts) == {"versions", "devices", "cache", "experiments"}
    assert f"ganjax {ganjax.__version__}" in facts["versions"]
    assert f"jax {jax.__version__}" in facts["versions"]
    assert jax.devices()[0].device_kind in facts["devices"]
    assert facts["cache"] == f"{tmp_path} (3 MB)"
    assert facts["experiments"] == ", ".join(EXPERIMENTS)


def test_a_cache_that_does_not_exist_is_empty(capsys, tmp_path):
    assert said(capsys, "--cache-dir", str(tmp_path / "new"))["cache"] == f"{tmp_path / 'new'} (0 MB)"
    assert not (tmp_path / "new").exists()
