"""What the engine gives as CSV, written to a file."""

import contextlib
import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.cli.context import Desk
from engine.cli.failures import BadInput


def export(desk: Desk, file: Path, path: str, query: Mapping[str, Any], noun: str) -> None:
    """Write the CSV at ``path`` beside ``file`` first, so that a broken download leaves no half a
    file. Raises BadInput for a file that cannot be written."""
    if not file.name or file.is_dir():
        raise BadInput(f"--csv: {file} is a folder; name a file.")
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("wb") as target, desk.engine.stream(path, **query) as chunks:
            for chunk in chunks:
                target.write(chunk)
        with part.open(encoding="utf-8", newline="") as written:
            count = sum(1 for _ in csv.reader(written)) - 1
        part.replace(file)
    except OSError as error:
        raise BadInput(f"--csv: {file} cannot be written: {error.strerror}.") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    name = str(file.resolve())
    desk.printer.show({"file": name, "count": count}, [f"{count} {noun} written to {name}."])
