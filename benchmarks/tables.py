"""Tables of text, in Markdown and for a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def digits(value: float) -> str:
    """A number with three significant digits, and always all digits before the point."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:#.3g}"


def markdown(header: Sequence[str], body: Sequence[Sequence[str]], right: Collection[str] = ()) -> str:
    """A table in Markdown; the columns named in `right`, which hold numbers, are aligned to the right."""
    rule = ["---:" if name in right else "---" for name in header]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *body))


def plain(header: Sequence[str], body: Sequence[Sequence[str]], right: Collection[str] = ()) -> str:
    """The same table for a terminal, with columns padded by spaces."""
    widths = [max(map(len, column)) for column in zip(header, *body, strict=True)]
    lines = []
    for cells in (header, *body):
        aligned = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(header, cells, widths, strict=True)
        ]
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)
