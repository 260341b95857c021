"""Those outside the engine who are told that it is alive, and who look whether it is."""

from typing import Protocol

from engine.domain.watch_outbox import Glimpse, WatcherState
from engine.domain.watching import Beat


class DeadMan(Protocol):
    """A service that raises the alarm when it is asked no more."""

    def ping(self) -> None:
        """Ask it once; blocks for at most some seconds. Raises ChannelError, whose sentence never
        holds the address."""
        ...


class ServiceManager(Protocol):
    """What has started this process and looks after it, as systemd does."""

    watchdog_s: float | None
    """How often it wants to hear of the process; None: it does not look."""

    def ready(self) -> None:
        """The engine serves."""
        ...

    def alive(self, status: str) -> None:
        """The engine is well; ``status`` is shown by ``systemctl status``."""
        ...

    def stopping(self) -> None:
        """The engine ends on purpose."""
        ...


class Heartbeats(Protocol):
    """Asks the engine whether it is well."""

    def ask(self, timeout_s: float) -> Beat:
        """Blocks for about ``timeout_s`` at most; never raises."""
        ...


class Records(Protocol):
    """The engine's database, read by somebody who never writes it."""

    def read(self) -> Glimpse:
        """Raises StoreError."""
        ...


class WatcherFile(Protocol):
    """Where a watcher keeps its state."""

    def read(self) -> WatcherState | None:
        """None when there is none. Raises DataError for one that cannot be read."""
        ...

    def write(self, state: WatcherState, *, is_durable: bool) -> None:
        """As a whole or not at all; ``is_durable``: it survives a power cut. Raises DataError."""
        ...
