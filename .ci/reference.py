"""The API reference, from the docstrings: python .ci/reference.py FOLDER, then open FOLDER/index.html.

A warning of pdoc is an error. Equations between dollar signs are drawn by MathJax, which the pages load.
"""

import argparse
import sys
import warnings
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent


def resolve(package: ModuleType) -> None:
    """Look up every public name: pdoc shows what a module holds, and ganjax imports names when first used."""
    for name in package.__all__:
        value = getattr(package, name)
        setattr(package, name, value)
        if isinstance(value, ModuleType) and hasattr(value, "__all__"):
            resolve(value)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for the pages")
    folder = parser.parse_args().folder
    sys.path.insert(0, str(ROOT))

    import pdoc

    import ganjax

    warnings.simplefilter("error")
    # Where a class is exported from another module, pdoc looks its annotations up there; pyright checks them.
    warnings.filterwarnings("ignore", "Error parsing type annotation")
    resolve(ganjax)
    pdoc.render.configure(docformat="google", math=True, footer_text=f"ganjax {ganjax.__version__}")
    pdoc.pdoc("ganjax", output_directory=folder)
    print(folder / "index.html")
