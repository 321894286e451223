"""What ganjax never does, whatever it is given: run code from data, start a shell, open a connection.

Only one module opens connections, when a user names data that must be downloaded. The tests check the source
code, and what one run does.
"""

import ast
import json
import os
from pathlib import Path

import pytest
import small_runs
import watching

ROOT = Path(__file__).parent.parent
FILES = sorted(path for root in ("ganjax", "benchmarks") for path in (ROOT / root).rglob("*.py"))

# Modules that create objects from bytes, and so can run any code; and modules that use the network.
PICKLING = {"pickle", "_pickle", "pickletools", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
NETWORK = {
    "aiohttp", "asyncio", "ftplib", "http", "httpx", "imaplib", "poplib", "requests", "smtplib", "socket",
    "socketserver", "ssl", "telnetlib", "urllib", "urllib3", "webbrowser", "websockets", "xmlrpc",
}  # fmt: skip
BUILTINS = {"eval", "exec", "compile", "__import__"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "pty.spawn"}
EXCEPTIONS = {
    # The probe is told by the suite, word for word, which of two packages to look for.
    "benchmarks/throughput/paths/probe.py": ["importlib.import_module(package)"],
    # The only module that sends requests.
    "ganjax/datasets/downloads.py": [
        "from http import HTTPStatus",
        "from urllib.parse import urljoin, urlsplit",
        "import requests",  # for readers of types
        "import requests",
        "import requests",
        "import urllib3",
    ],
    # The only module that accepts connections, from this machine only, and its benchmark.
    "benchmarks/serve/command.py": ["import http.client"],
    "ganjax/serving/server.py": ["import socketserver", "from http.server import BaseHTTPRequestHandler"],
}
# They write to paths from an archive, download by name, or switch off Keras's safe mode.
METHODS = {"extract", "extractall", "get_file", "enable_unsafe_deserialization"}


def breaches(source):
    """The forbidden statements of a module."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom) and _is_forbidden_import(node):
            found.append(ast.unparse(node))
        if isinstance(node, ast.Call) and _is_forbidden_call(node):
            found.append(ast.unparse(node))
    return found


def _is_forbidden_import(node):
    if isinstance(node, ast.Import):
        roots = {alias.name.split(".")[0] for alias in node.names}
    else:
        roots = set() if node.level else {(node.module or "").split(".")[0]}
        if {alias.name for alias in node.names} & {*METHODS, "load_model"} and "ganjax" not in roots:
            return True  # called by this bare name, it would look like a function of ganjax
        if roots & {"os", "subprocess", "numpy"}:
            return bool({alias.name for alias in node.names} & {"system", "popen", "load", "getoutput"})
    return bool(roots & (PICKLING | NETWORK))


def _is_forbidden_call(node):
    name = ast.unparse(node.func)
    last = name.rsplit(".", 1)[-1]
    options = {option.arg: getattr(option.value, "value", ...) for option in node.keywords}
    return (
        name in BUILTINS | SHELLS
        or name.startswith(("os.exec", "os.spawn", "os.posix_spawn"))
        or (last in METHODS and "." in name)
        or options.get("shell", False) is not False
        or options.get("allow_pickle", False) is not False
        or options.get("safe_mode", True) is not True
        or (name in ("np.load", "numpy.load", "jnp.load") and "allow_pickle" not in options)
        or (last == "load_model" and "." in name and "safe_mode" not in options)
        or (last == "import_module" and not _is_constant(node.args[0]))
    )


def _is_constant(argument):
    """Whether a module's name is a constant, or at least begins with a package of this repository."""
    if not isinstance(argument, ast.JoinedStr):
        return isinstance(argument, ast.Constant)
    start = argument.values[0]
    if isinstance(start, ast.Constant):
        return str(start.value).startswith(("ganjax.", "benchmarks."))
    return isinstance(start, ast.FormattedValue) and ast.unparse(start.value) == "__name__"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_from_data_no_shell_no_network(path):
    assert breaches(path.read_text()) == EXCEPTIONS.get(path.relative_to(ROOT).as_posix(), [])


@pytest.mark.parametrize(
    "line",
    [
        *(f"import {name}" for name in sorted(PICKLING | NETWORK)),
        "from urllib.request import urlopen",
        "def f():\n    import http.client",
        "from pickle import loads as read",
        "from numpy import load",
        "from keras.models import load_model",
        "from os import system",
        "eval(text)",
        "exec(text)",
        "compile(text, 'file', 'exec')",
        "__import__(name)",
        "importlib.import_module(name)",
        "importlib.import_module(f'{name}.x')",
        "os.system('ls')",
        "os.popen('ls')",
        "os.execv(path, words)",
        "subprocess.run('ls', shell=True)",
        "subprocess.Popen(words, shell=asked)",
        "subprocess.getoutput('ls')",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=asked)",
        "np.save(path, x, allow_pickle=True)",
        "keras.models.load_model(path)",
        "keras.models.load_model(path, safe_mode=False)",
        "keras.models.load_model(path, safe_mode=asked)",
        "keras.layers.deserialize(x, safe_mode=False)",
        "keras.config.enable_unsafe_deserialization()",
        "keras.utils.get_file(name, url)",
        "archive.extractall(folder)",
        "zipfile.ZipFile(path).extract(name)",
    ],
)
def test_each_of_these_lines_is_forbidden(line):
    assert len(breaches(line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "from ganjax.runs.saved_models import load_model\nload_model(folder, 'generator')",
        "re.compile(text)",
        "lowered.compile()",
        "importlib.import_module(f'ganjax.cli.{command}')",
        "importlib.import_module(f'{__name__}.{name}')",
        "importlib.import_module('keras')",
        "np.load(path, allow_pickle=False)",
        "keras.models.load_model(path, safe_mode=True)",
        "subprocess.run(words, shell=False)",
        "from . import http",
        "import json, os, subprocess",
    ],
)
def test_these_lines_are_allowed(line):
    assert breaches(line) == []


# What one run does.


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tmp_path_factory.getbasetemp()


@pytest.fixture(scope="module")
def watched(base, tmp_path_factory):
    """A folder in which `dots` was trained and sampled, with its own home folder, and the recorded events."""
    folder = tmp_path_factory.mktemp("watched")
    for name in ("home", "temporary"):
        (folder / name).mkdir()
    own = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "KERAS_HOME", "MPLCONFIGDIR")
    environment = {name: value for name, value in small_runs.environment(base).items() if name not in own}
    environment |= {"HOME": str(folder / "home"), "TMPDIR": str(folder / "temporary")}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1"}
    seen = {kind: set() for kind in watching.KINDS}
    for line in ("train dots --steps 4 --out run --quiet", "sample run --n 2 --out run/samples.npz"):
        words = [str(ROOT / "tests" / "watching.py"), str(folder / "seen.json"), *line.split()]
        result = small_runs.python(base, *words, env=environment, cwd=folder)
        assert (result.returncode, result.stderr) == (0, "")
        for kind, events in json.loads((folder / "seen.json").read_text()).items():
            seen[kind] |= set(events)
    return folder, seen


def test_a_run_writes_only_to_its_folder_and_to_caches(watched):
    folder, seen = watched
    home, temporary = folder / "home", folder / "temporary"
    places = [folder / "run", home / ".cache", home / ".keras", home / ".config", temporary]
    places += [Path(os.devnull), folder / "seen.json"]
    elsewhere = {path for path in seen["written"] if not any(Path(path).is_relative_to(p) for p in places)}
    assert not elsewhere
    assert str(folder / "run" / "manifest.json") in seen["written"]
    # Files that libraries write without Python are found afterwards.
    assert {path.name for path in folder.iterdir()} == {"run", "home", "temporary", "seen.json"}
    assert {path.name for path in home.iterdir()} <= {".cache", ".keras", ".config"}
    assert not list(temporary.iterdir())


def test_a_run_opens_no_connection_and_unpickles_nothing(watched):
    assert watched[1]["connected"] == set()
    assert watched[1]["unpickled"] == set()


PICTURES = """
import sys
import watching
from PIL import Image
from ganjax.datasets import load

seen = watching.watch()
Image.new("RGB", (4, 4)).save("a.png")
load(None, 4, images=2, cache_dir="cache", progress=False)
load(".", 4, cache_dir="cache", progress=False)
assert not {"requests", "urllib3", "ganjax.datasets.downloads"} & set(sys.modules)
watching.report(seen, "seen.json")
"""


def test_pictures_rendered_or_read_here_open_no_connection(base, tmp_path):
    result = small_runs.python(base, "-c", PICTURES, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["connected"] == []
    assert str(tmp_path / "a.png") in seen["written"]


def test_a_run_starts_only_known_programs(watched):
    """`git` names the commit, `uname` the processor, Matplotlib's `fc-list` the fonts; none is a shell."""
    started = {Path(ast.literal_eval(words)[0]).name for words in watched[1]["started"]}
    assert started <= {"git", "uname", "fc-list"}


MISDEEDS = """
import os, pickle, socket, subprocess, sys
import watching

seen = watching.watch()
open("written", "w").close()
os.mkdir("made")
os.mkdir("made/open")
os.rename("made", "moved")
subprocess.run([sys.executable, "--version"], stdout=subprocess.DEVNULL)
with socket.socket() as ours, socket.socket() as its:
    ours.bind(("127.0.0.1", 0))
    ours.listen()
    its.connect(ours.getsockname())
pickle.loads(pickle.dumps(os.path.join))
os.rmdir("open", dir_fd=os.open("moved", os.O_RDONLY))
watching.report(seen, "seen.json")
"""


def test_forbidden_actions_are_recorded(base, tmp_path):
    result = small_runs.python(base, "-c", MISDEEDS, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    seen = json.loads((tmp_path / "seen.json").read_text())
    names = ("written", "made", "made/open", "moved", "moved/open", "seen.json")
    assert set(seen["written"]) - {os.devnull} == {str(tmp_path / name) for name in names}
    assert all(seen[kind] for kind in watching.KINDS)
