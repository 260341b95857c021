"""What the commands print: plain aligned tables for people, one JSON document for programs."""

import json
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from engine.cli.failures import Failure

NUMBERS = frozenset("0123456789.,+-% ")


class Printer:
    """Prints a command's result once: as text, or as JSON when ``is_json``."""

    def __init__(self, is_json: bool) -> None:
        self.is_json = is_json

    def show(self, document: Any, lines: Sequence[str], *, is_long: bool = False) -> None:
        """``document`` for programs, ``lines`` for people; a long document without indents, which
        cost many times its memory."""
        if self.is_json:
            print(json.dumps(document, indent=None if is_long else 2))
        else:
            print("\n".join(lines))
        sys.stdout.flush()  # a reader that went away is noticed here, not at the very end

    def fail(self, failure: Failure) -> None:
        """The error document on stdout for programs, one sentence on stderr for people."""
        if self.is_json:
            error = {"code": failure.code, "message": failure.message, "details": failure.details}
            print(json.dumps({"error": error}, indent=2))
        else:
            print(one_line(failure.message), file=sys.stderr)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> list[str]:
    """Aligned columns, numbers to the right; ``empty`` alone when there are no rows."""
    if not rows:
        return [empty]
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    is_right = [all(set(cell) <= NUMBERS for cell in column) for column in zip(*cells, strict=True)]
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, is_right, strict=True)
        ).rstrip()[:limit]
        for row in [list(head), *cells]
    ]


def pairs(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Names and values, one a line."""
    width = max(len(name) for name, _ in rows)
    return [f"{name.ljust(width)}  {one_line(value)}" for name, value in rows]


def one_line(words: str) -> str:
    """Text without line breaks and without characters that would steer a terminal."""
    return "".join(" " if unicodedata.category(one)[0] == "C" else one for one in words)


def amount(value: str | None, digits: int = 2) -> str:
    """An exact amount rounded for reading; a dash for none."""
    return "-" if value is None else f"{Decimal(value):,.{digits}f}"


def signed(value: str | None, digits: int = 2) -> str:
    """An amount with its sign."""
    return "-" if value is None else f"{Decimal(value):+,.{digits}f}"


def percent(value: str | None) -> str:
    """A fraction as a percentage with its sign."""
    return "-" if value is None else f"{Decimal(value) * 100:+.2f}%"


def moment(value: str | None) -> str:
    """A time in UTC to the second."""
    return "-" if value is None else f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M:%S}"
