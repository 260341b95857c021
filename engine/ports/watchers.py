"""Those outside the engine who are told that it is alive."""

from typing import Protocol


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
