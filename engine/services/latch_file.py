"""The latch file: all controls in the data folder, for an engine whose database or API is down."""

import os
import threading
from collections.abc import Iterable
from pathlib import Path

from engine.domain.controls import from_text, to_text
from engine.domain.records import KillLevel, KillSwitch

LATCH_NAME = "KILL"
UNREADABLE = KillSwitch(
    level=KillLevel.PAUSE_ENTRIES,
    actor="unreadable latch file",
    reason="the latch file cannot be read",
)
"""A latch that cannot be read was still pulled by somebody: stay on the safe side."""


class LatchFile:
    """Reads and replaces the file as a whole; a crash leaves the old or the new one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = self._stamp()

    def has_changed(self) -> bool:
        """Whether it is another file than was read or written last; cheap enough for each order."""
        return self._stamp() != self._seen

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    def read(self) -> list[KillSwitch]:
        """What is latched; a pause of everything when that cannot be told."""
        self._seen = self._stamp()
        try:
            return from_text(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return []
        except (OSError, ValueError):
            return [UNREADABLE]

    def write(self, switches: Iterable[KillSwitch]) -> None:
        """Replace what is latched; without a control there is no file. Raises OSError."""
        rows = list(switches)
        if not rows:
            self.path.unlink(missing_ok=True)
            self._seen = None
            return
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                file.write(to_text(rows))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
            self._seen = self._stamp()
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
