"""README files keep their promises: blocks run, commands parse, links lead somewhere, front pages stay short.

A command must fit its real parser. It must also be run: by `.ci/run`, where it stands word for word, or here,
where it is cheap; or its comment says why not.
"""

import argparse
import json
import os
import pkgutil
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
import tyro
import yaml

from benchmarks import __main__ as benchmarks
from ganjax.cli import main as cli
from ganjax.system.errors import UserError

ROOT = Path(__file__).parent.parent
CI = ROOT / ".ci" / "run"
RESULTS = ROOT / "benchmarks" / "results"
FOLDERS = ("ganjax", "benchmarks", "tests")
FILES = [
    path.relative_to(ROOT).as_posix() for each in (".ci", *FOLDERS) for path in (ROOT / each).rglob("*.py")
]
EVERY_PAGE = sorted([*ROOT.glob("*.md"), *(page for each in FOLDERS for page in (ROOT / each).rglob("*.md"))])
DOCUMENTS = [
    page for page in EVERY_PAGE if RESULTS not in page.parents
]  # results are of the day they were made

REASON = re.compile(r"needs a GPU|needs the network|takes [^.;:]*(minutes|hour)")
CHEAP = {"ganjax info", "ganjax data list", "ganjax train --help", "python -m benchmarks --help"}
LANGUAGES = {"bash", "python", ""}  # a block without one is a drawing


class Command(NamedTuple):
    """One command of a document, and the comment on its line."""

    document: str
    text: str
    comment: str


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def blocks(page, language):
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    assert {kind for kind, _ in found} <= LANGUAGES, f"{page}: {LANGUAGES} are the kinds that are tested"
    return [text for kind, text in found if kind == language]


def prose(page):
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(page):
    lines = "".join(blocks(page, "bash")).splitlines()
    for line in lines:
        text, *comment = re.split(r"\s+# ", line, maxsplit=1)
        for part in text.split(" && "):
            yield Command(name_of(page), part, "".join(comment))


COMMANDS = [command for page in DOCUMENTS for command in commands(page)]
READING_PYTHON = [page for page in DOCUMENTS if blocks(page, "python")]


class Parsed(BaseException):
    """Raised once the words have been understood, so that nothing is done."""


@pytest.fixture
def parse_only(monkeypatch):
    def stopping(parse):
        def parse_and_stop(*args, **kwargs):
            parse(*args, **kwargs)
            raise Parsed

        return parse_and_stop

    monkeypatch.setattr(tyro, "cli", stopping(tyro.cli))
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stopping(argparse.ArgumentParser.parse_args))
    monkeypatch.setattr(sys, "argv", ["", *sys.argv[1:]])
    monkeypatch.setattr(sys, "path", [str(ROOT), str(ROOT / "tests"), *sys.path])


def understood(words):
    """Let the program that `words` name parse them; True if it went on without, as `--help` does."""
    program, *words = (word for i, word in enumerate(words) if i or "=" not in word)
    try:
        match Path(program).name, words:
            case "ganjax", _:
                return cli.run(words) == 0
            case "python", ["-m", "benchmarks", *rest]:
                return benchmarks.main(rest) == 0
            case "python", ["-m", "venv", folder]:
                return not folder.startswith("-")
            case "python", ["-m", "pytest", *rest]:
                return all((ROOT / word).exists() for word in rest if word.endswith(".py"))
            case "python", ["-m", module, *rest]:
                sys.argv[1:] = rest
                runpy.run_module(module, run_name="__main__")
            case "python", [script, *rest]:
                sys.argv[1:] = rest
                runpy.run_path(str(ROOT / script), run_name="__main__")
            case "pip", ["install", *rest]:
                return all(word == "-e" or pip_knows(word) for word in rest)
            case "bash", [script]:
                return (ROOT / script).exists()
            case "ruff" | "pyright", _:
                return True  # what .ci/run runs as it is needs no other check
    except Parsed:
        return True
    return False


def pip_knows(requirement):
    extras = re.fullmatch(r"\.(?:\[([\w,]+)\])?", requirement)
    if extras is None:
        return requirement == "tensorflow[and-cuda]"
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return set((extras[1] or "").split(",")) - {""} <= known.keys()


def is_run_by_ci(text):
    lines = [line for line in CI.read_text().splitlines() if not line.lstrip().startswith(("#", "say"))]
    return any(re.search(rf"(^|\s){re.escape(text)}($|\s*[&|;>])", line) for line in lines)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.document}: {command.text}")
def test_a_command_is_understood_by_its_program(command, parse_only, capsys):
    assert understood(shlex.split(command.text)), f"{command.document}: {command.text}"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.document}: {command.text}")
def test_a_command_is_run_or_says_why_not(command):
    where = [command.text in CHEAP, is_run_by_ci(command.text), REASON.search(command.comment) is not None]
    assert any(where), f"{command.document}: nobody runs `{command.text}`, and it does not say why"


@pytest.mark.parametrize("text", sorted(CHEAP))
def test_cheap_commands_run(text, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    program, *words = shlex.split(text)
    code = cli.run(words) if program == "ganjax" else benchmarks.main(words[2:])
    assert code == 0
    assert len(capsys.readouterr().out) > 100


def test_cheap_commands_are_of_the_documents_or_of_their_sentences():
    text = " ".join(page.read_text() for page in DOCUMENTS)
    assert {command for command in CHEAP if command not in text} == set()


@pytest.mark.parametrize(
    "line",
    [
        "ganjax trian ring",
        "ganjax train rign",
        "ganjax train ring --sedes 0:4",
        "ganjax resume",
        "ganjax data lits",
        "python -m benchmarks throughputs",
        "python -m benchmarks throughput --quickly",
        "python -m benchmarks toy-tables --seeds many",
        "python -m tests.fuzz --hours 1",
        "python -m pytest tests/test_loses.py",
        "python .ci/reference.py",
        'pip install ".[tests]"',
        "conda install ganjax",
    ],
)
def test_commands_with_a_mistake_are_found(line, parse_only, capsys):
    try:
        wrong = not understood(shlex.split(line))
    except (SystemExit, UserError) as error:
        wrong = getattr(error, "code", 2) != 0
    assert wrong


def test_a_command_that_nobody_runs_is_found():
    assert is_run_by_ci("python -m pytest -n 2 --dist loadfile")
    assert not is_run_by_ci("python -m pytest -n 2")
    assert not is_run_by_ci("ganjax train ring")
    assert REASON.search("takes 7 minutes: all of it")
    assert not REASON.search("takes numbers; not minutes")


RUNNER = """
import json, sys
for page, block in json.load(sys.stdin):
    print(page, flush=True)
    exec(compile(block, page, "exec"), {"__name__": "__main__"})
"""


def test_python_blocks_run(tmp_path):
    """One process for all, as each would spend its first seconds on importing the same libraries."""
    pages = [(name_of(page), block) for page in READING_PYTHON for block in blocks(page, "python")]
    assert len(pages) >= 5
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]]),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    (tmp_path / "empty").mkdir()
    subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(pages),
        text=True,
        check=True,
        env=environment,
        cwd=tmp_path / "empty",
    )


def headings(page):
    """The anchors that a code host gives the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", EVERY_PAGE, ids=name_of)
def test_links_and_pictures_are_there(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), f"{page}: {link}"
        assert not anchor or anchor in headings(target), f"{page}: {link}"


@pytest.mark.parametrize("page", DOCUMENTS, ids=name_of)
def test_names_of_files_commands_and_objects_are_right(page):
    text = prose(page)
    for name in re.findall(r"(?<![\w/])((?:[\w.-]+/)*[\w.-]+\.py)\b", text):
        assert any(f"/{file}".endswith(f"/{name.removeprefix('../')}") for file in FILES), f"{page}: {name}"
    for code in re.findall(r"`([^`]+)`", text):
        match code.split():
            case ["ganjax", command, *_]:
                assert command.startswith("-") or command in cli.COMMANDS, f"{page}: {code}"
            case ["python", "-m", "benchmarks", command, *_]:
                assert command.startswith("-") or command in benchmarks.COMMANDS, f"{page}: {code}"
        if re.fullmatch(r"ganjax(\.\w+)+", code):
            assert pkgutil.resolve_name(code) is not None, f"{page}: {code}"


@pytest.mark.parametrize(
    ("page", "lines", "words"), [("README.md", 130, 1200), ("CONTRIBUTING.md", 100, 1200)]
)
def test_front_pages_are_short(page, lines, words):
    text = (ROOT / page).read_text()
    assert len(text.splitlines()) <= lines
    assert len(text.split()) <= words


def workflow(name):
    # YAML 1.1 reads the key `on` as true.
    return yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text())


def steps(job):
    return [step.get("run", step.get("uses")) for step in job["steps"]]


def test_ci_runs_on_pushes_and_pull_requests():
    found = workflow("ci.yml")
    assert {"push", "pull_request"} <= found[True].keys()
    (job,) = found["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    assert "bash .ci/run" in steps(job)


def test_a_release_is_checked_and_published_without_a_password():
    found = workflow("release.yml")
    assert found[True]["push"]["tags"] == ["v*"]
    jobs = found["jobs"]
    assert "bash .ci/run" in steps(jobs["check"])
    assert set(jobs["publish"]["needs"]) == {"check", "build"}
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["environment"]["name"] == "pypi"
    assert "secrets." not in (ROOT / ".github" / "workflows" / "release.yml").read_text()
