"""The layout: imports go only downward (contracts: pyproject.toml); no file is tiny, no folder crowded."""

import ast
import io
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "ganjax"
FILES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted({path.parent for path in [*FILES, *(ROOT / "benchmarks").rglob("*.py")]})
CORE = sorted([*PACKAGE.glob("[!_]*.py"), *(PACKAGE / "stateless").glob("*.py")])

BROKEN = """
[importlinter]
root_package = ganjax

[importlinter:contract:upside-down]
name = The core above the command line
type = layers
containers = ganjax
layers =
    step
    cli
"""


def lint_imports(config):
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo", config]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_imports_keep_to_the_contracts():
    done = lint_imports("pyproject.toml")
    assert done.returncode == 0, done.stdout


def test_an_import_that_goes_upward_is_found(tmp_path):
    (tmp_path / "contracts.ini").write_text(BROKEN)
    done = lint_imports(tmp_path / "contracts.ini")
    assert done.returncode == 1
    assert "1 broken" in done.stdout


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_the_core_opens_and_prints_nothing(path):
    names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
    assert not names & {"open", "print", "input"}


def test_importing_the_package_needs_nothing_heavy():
    """At its top level, `ganjax/__init__.py` imports the standard library alone."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in top if isinstance(node, ast.ImportFrom)}
    assert names <= {"__future__", "importlib", "os", "sys", "typing"}


def code_lines(source):
    """Lines of code: no blank ones, comments or docstrings."""
    documentation = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str):
            documentation |= set(range(node.lineno, node.end_lineno + 1))
    nothing = (
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
    )  # fmt: skip
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {n for t in tokens if t.type not in nothing for n in range(t.start[0], t.end[0] + 1)}
    return len(lines - documentation)


def test_code_is_counted_without_words():
    assert code_lines('"""Words."""\n\n# Words.\nx = (\n    1,  # one\n)\n"""More."""\n') == 3


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_thought_is_cut_into_tiny_files(path):
    assert path.stem in ("__init__", "__main__") or code_lines(path.read_text()) >= 25


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_folder_is_seen_at_a_glance(folder):
    most = {PACKAGE: 17, ROOT / "benchmarks": 6}.get(folder, 16)
    assert len(list(folder.glob("*.py"))) <= most


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_says_in_a_sentence_what_it_is(folder):
    first = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())).splitlines()[0]
    assert first.endswith((".", ":"))
