"""The machine the engine runs on, as far as diagnostics look at it."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol


class Room(NamedTuple):
    """Bytes of a disk or of the memory."""

    free: int
    total: int


class Machine(Protocol):
    """Facts about the machine; nothing but ``clock_lead_s`` leaves it."""

    def disk(self, folder: Path) -> Room:
        """Of the disk that ``folder`` is on. Raises OSError."""
        ...

    def memory(self) -> Room:
        """What programs could still have, of all."""
        ...

    def resident(self, pid: int) -> int | None:
        """Bytes a process holds in memory; None when it has ended."""
        ...

    def clock_lead_s(self) -> float:
        """Our clock less that of a time server, in seconds. Raises DataError when none answers."""
        ...

    def versions(self) -> Mapping[str, str]:
        """Of Python, the system, Quarterdeck and the packages it is made of."""
        ...
