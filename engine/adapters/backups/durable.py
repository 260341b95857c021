"""Files that are there as a whole or not at all."""

import errno
import os
from pathlib import Path

from engine.errors import BackupError

MODE = 0o600


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable, where the system lets one."""
    if os.name == "nt":
        return  # a folder cannot be opened there; NTFS journals its names
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file under another name, then give it its own. Raises OSError."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def cannot_write(folder: Path, error: OSError, advice: str) -> BackupError:
    """What to raise ``from error``."""
    if error.errno == errno.ENOSPC:
        return BackupError(f"The disk of {folder} is full: make room, or {advice}.")
    return BackupError(f"{folder} cannot be written ({error.strerror or error}): {advice}.")
