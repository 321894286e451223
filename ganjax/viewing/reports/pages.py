"""Writing a page as a single file.

A template is filled in, style and script are included, and a content security policy forbids everything else.
"""

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
    """Write a page atomically and return its path. Equal values give equal bytes.

    Args:
        path: of the .html file.
        template: name of a file in templates/.
        values: variables of the template; text in them is escaped, so it is never read as HTML.

    Raises:
        OSError: the page cannot be written.
    """
    # A name may hold a lone surrogate, which cannot be encoded; it is replaced.
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
    """A number with separated thousands or four digits; anything else is a dash."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–"
    if isinstance(value, int):
        return charts.spaced(value)
    return f"{value:.4g}"


def _share(value: Any) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _bar(value: Any) -> str:
    """A share in [0, 1] as a length in [0, 100]."""
    return "0" if value is None else f"{min(max(100 * value, 0), 100):.1f}"


def _value(value: Any) -> str:
    """A setting's value as it is written on the command line."""
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return " ".join(map(_value, value))
    return str(value)
