"""Secrets from a terminal or from stdin; never from the command line, which other users of the
machine can see and the shell remembers."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from engine.cli.failures import BadInput


def read_secrets(fields: Sequence[Mapping[str, Any]], *, is_change: bool = False) -> dict[str, str]:
    """What was given of a form's secret ``fields``, asked for one by one or read from stdin as
    lines of NAME=VALUE. ``is_change``: one that is left empty stays. Raises BadInput."""
    if not sys.stdin.isatty():
        return _lines(sys.stdin.read())
    given = {}
    for field in fields:
        may_be_empty = is_change or field["is_optional"]
        words = field["title"] + (" (empty: leave it)" if may_be_empty else "")
        default = "" if may_be_empty else None
        given[field["name"]] = typer.prompt(
            words, default=default, hide_input=True, show_default=False, err=True
        )
    return {name: value for name, value in given.items() if value}


def _lines(text: str) -> dict[str, str]:
    given = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, mark, value = line.partition("=")
        if not mark or not name.strip():  # the line may be a secret: it is not repeated
            raise BadInput(f"Line {number} on stdin is not of the form NAME=VALUE.")
        given[name.strip()] = value.strip()
    return given
