"""ganjax type-checks from outside, as an installed package does: pyright, strict, over a user's program."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "tests" / "typed_user"
SETTINGS = {"typeCheckingMode": "strict", "reportMissingTypeStubs": False}  # Keras and optax have none


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Lines with what pyright says of them, by file."""
    folder = shutil.copytree(SOURCES, tmp_path_factory.mktemp("typing") / "user")
    (folder / "pyrightconfig.json").write_text(json.dumps(SETTINGS))
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["summary"]["filesAnalyzed"] == len(list(SOURCES.glob("*.py")))
    lines = {path.name: {} for path in SOURCES.glob("*.py")}
    for each in answer["generalDiagnostics"]:
        lines[Path(each["file"]).name][each["range"]["start"]["line"] + 1] = each["message"]
    return lines


def test_a_package_says_that_it_has_types():
    assert (ROOT / "ganjax" / "py.typed").exists()


@pytest.mark.parametrize("file", ["user.py", "typed_parts.py"])
def test_a_users_program_is_right_in_strict_mode(found, file):
    assert found[file] == {}


def test_a_users_mistakes_are_found(found):
    lines = (SOURCES / "mistakes.py").read_text().splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert len(wrong) == 17
    assert wrong - found["mistakes.py"].keys() == set()
    assert found["mistakes.py"].keys() - wrong == set()
