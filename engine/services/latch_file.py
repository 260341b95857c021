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

    def read(self) -> list[KillSwitch]:
        """What is latched; a pause of everything when that cannot be told."""
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
            return
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                file.write(to_text(rows))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
