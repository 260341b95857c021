"""A machine whose facts a test sets."""

from collections.abc import Mapping
from pathlib import Path

from engine.errors import DataError
from engine.ports.machine import Room

GIB = 1024**3


class FakeMachine:
    """``ports.Machine``; ``lead_s`` None: no time server answers."""

    def __init__(self) -> None:
        self.disk_room = Room(100 * GIB, 500 * GIB)
        self.memory_room = Room(8 * GIB, 16 * GIB)
        self.lead_s: float | None = None
        self.processes: dict[int, int] = {}

    def disk(self, _folder: Path) -> Room:
        """As set."""
        return self.disk_room

    def memory(self) -> Room:
        """As set."""
        return self.memory_room

    def resident(self, pid: int) -> int | None:
        """As set; None for a process that was not."""
        return self.processes.get(pid)

    def clock_lead_s(self) -> float:
        """Raises DataError unless set."""
        if self.lead_s is None:
            raise DataError("The time server ntp.example does not answer (timed out).")
        return self.lead_s

    def versions(self) -> Mapping[str, str]:
        """Two."""
        return {"quarterdeck": "0", "python": "3.11"}
