"""One engine, one watcher a data folder: a lock that the operating system drops when its process
dies."""

import os
import sys
import time
from pathlib import Path
from typing import IO

from engine.errors import ConfigError

DYING_S = 1.0


class FolderLock:
    """Holds ``<program>.lock`` in the data folder from ``acquire`` until the process ends."""

    def __init__(self, folder: Path, program: str = "engine") -> None:
        self._program = program
        self._path = folder / f"{program}.lock"
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Raises ConfigError when the folder cannot be written or another one holds it."""
        folder = self._path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = self._path.open("a+", encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"The data folder {folder} cannot be written ({error.strerror}); "
                "set QUARTERDECK_DATA to a folder that can.",
                field="data",
            ) from error
        try:
            _lock_soon(file)
        except OSError as error:
            file.close()
            raise ConfigError(
                f"Another {self._program}{self._holder()} is running on the data folder {folder}; "
                "stop it, or set QUARTERDECK_DATA to another folder.",
                field="data",
            ) from error
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file

    def release(self) -> None:
        """Let another one in."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _holder(self) -> str:
        if sys.platform == "win32":
            return ""  # a locked file cannot be read there
        pid = self._path.read_text("utf-8").strip()
        return f" (process {pid})" if pid.isdecimal() else ""


def _lock_soon(file: IO[str]) -> None:
    """Lock, waiting a moment for a process that is just being killed. Raises OSError."""
    deadline = time.monotonic() + DYING_S
    while True:
        try:
            return _lock(file)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _lock(file: IO[str]) -> None:
    """Lock without waiting. Raises OSError when somebody else has it."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
