"""The house's floors: every file imports from its own room and from below, never from above.

From top to bottom: the command line, experiments, populations, evaluation, training, viewing; metrics and
datasets side by side; the heart; and beside its lowest floor the networks, which know of no game. `errors`,
`files` and `processor` hold one small thing each, import nothing of the house, and are importable from
anywhere (the latter two not from the heart, which knows no file system).
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "ganjax"

FLOORS = [
    {"cli"},
    {"experiments"},
    {"populations"},
    {"evaluation"},
    {"serving", "training"},
    {"viewing"},
    {"metrics", "datasets"},
    {"step"},
    {"descent"},
    {"draws", "judging"},
    {"export", "sampling"},
    {"state"},
    {"gan"},
    {"latents"},
    {"checks", "step_metrics"},
    {"losses", "penalties", "augmentations", "labelled", "packing", "networks", "samplewise", "stateless"},
]
LEVEL = {room: len(FLOORS) - i for i, floor in enumerate(FLOORS) for room in floor}
ANYWHERE = {"errors", "files", "processor"}
HEART = {
    "step", "descent", "draws", "judging", "export", "sampling", "state", "gan", "checks", "losses",
    "penalties", "samplewise", "stateless", "augmentations", "labelled", "latents", "packing", "step_metrics",
}  # fmt: skip
OUTSIDE_THE_HEART = {
    "os", "pathlib", "io", "shutil", "tempfile", "matplotlib", "PIL", "tqdm", "tyro", "platformdirs",
}  # fmt: skip

FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(source: str, package: str = "ganjax") -> set[str]:
    """Everything a module of `package` imports anywhere in its text; `from ganjax import x` is `ganjax.x`."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            module = ".".join([*base, node.module] if node.module else base)
            names |= {f"ganjax.{alias.name}" for alias in node.names} if module == "ganjax" else {module}
    return names


def package_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).parent.parts)


def upward(source: str, room: str, package: str = "ganjax") -> set[str]:
    """Rooms that a module of `room` imports but may not."""
    rooms = {name.split(".")[1] for name in imports(source, package) if name.startswith("ganjax.")}
    rooms -= ANYWHERE | {room, "__version__"}
    return {other for other in rooms if other not in LEVEL or LEVEL[other] >= LEVEL[room]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downward(path):
    room = room_of(path)
    if room in ("__init__", "__main__"):  # the front door, which leads everywhere
        return
    if room in ANYWHERE:
        assert not {name for name in imports(path.read_text()) if name.startswith("ganjax")}
        return
    assert room in LEVEL, f"the new room {room!r} needs its place among the floors"
    assert not upward(path.read_text(), room, package_of(path))


@pytest.mark.parametrize("room", sorted(HEART))
def test_heart_knows_no_files_no_plots_no_progress_bars(room):
    source = (PACKAGE / f"{room}.py").read_text()
    imported = imports(source)
    assert not {"ganjax.files", "ganjax.processor"} & imported
    assert not {name.split(".")[0] for name in imported} & OUTSIDE_THE_HEART
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    assert not names & {"open", "print", "input"}


def test_importing_the_package_needs_nothing_heavy():
    """At its top level, `ganjax/__init__.py` imports the standard library alone."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in top if isinstance(node, ast.ImportFrom)}
    assert names <= {"__future__", "importlib", "os", "sys", "typing"}


def test_heart_is_small():
    files = [PACKAGE / f"{name}.py" for name in ("gan", "state", "step", "losses")]
    assert sum(len(path.read_text().splitlines()) for path in files) <= 500


def test_nobody_imports_tensorflow_or_torch():
    for path in FILES:
        roots = {name.split(".")[0] for name in imports(path.read_text(), package_of(path))}
        assert not roots & {"tensorflow", "torch"}, path


@pytest.mark.parametrize(
    ("room", "line", "wrong"),
    [
        ("losses", "from ganjax.gan import GAN", {"gan"}),
        ("losses", "from ganjax import penalties", {"penalties"}),
        ("networks", "from ganjax.datasets.toy import ring", {"datasets"}),
        ("networks", "from ganjax import stateless", {"stateless"}),
        ("viewing", "def f():\n    import ganjax.training.loop", {"training"}),
        ("training", "from ganjax.errors import UserError\nfrom ganjax.training.chunks import x", set()),
        ("step", "from ganjax.unknown import x", {"unknown"}),
        ("cli", "from ganjax.experiments import EXPERIMENTS\nimport os", set()),
        ("networks", "from .dense import x\nfrom ..datasets import y", {"datasets"}),
    ],
)
def test_the_rule_itself(room, line, wrong):
    package = "ganjax" if room in HEART else f"ganjax.{room}"
    assert upward(line, room, package) == wrong
