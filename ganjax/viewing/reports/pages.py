"""A page as one file: template filled in, style and script inside, and a policy that lets nothing else in."""

from __future__ import annotations

import base64
import functools
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganjax.viewing.reports import charts
from ganjax.viewing.saving import save_bytes

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"


def save_page(path: str | os.PathLike[str], template: str, **values: Any) -> Path:
    """Write a page, whole or not at all: equal values give equal bytes. Returns its path.

    Args:
        path: of the .html file.
        template: name of a file in templates/.
        values: what it speaks of; whatever stands in them is shown as text, never read as HTML.

    Raises:
        OSError: it cannot be written.
    """
    # What is no letter anywhere (a lone surrogate in a name) must not keep a page from being written.
    text = _environment().get_template(template).render(**values)
    return save_bytes(path, text.encode("utf-8", errors="replace"))


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    environment.globals |= {
        "style": Markup(style),
        "script": Markup(script),
        "policy": (
            f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        "sheet": charts,
    }
    environment.filters |= {"number": _number, "value": _value, "share": _share, "bar": _bar}
    return environment


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _number(value: Any) -> str:
    """A number as people read it; anything else is a dash."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–"
    if isinstance(value, int):
        return charts.spaced(value)
    return f"{value:.4g}"


def _share(value: Any) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _bar(value: Any) -> str:
    """A share of one as a length of a hundred."""
    return "0" if value is None else f"{min(max(100 * value, 0), 100):.1f}"


def _value(value: Any) -> str:
    """A setting's value, as it is written on the command line."""
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return " ".join(map(_value, value))
    return str(value)
