"""systemd: told when the engine serves, lives and ends (sd_notify)."""

import os

import sdnotify

MICRO = 1_000_000


class Systemd:
    """``ports.ServiceManager``. Without NOTIFY_SOCKET nobody is told."""

    def __init__(self) -> None:
        # Without a socket the library would leave one of its own open.
        self._notifier = sdnotify.SystemdNotifier() if "NOTIFY_SOCKET" in os.environ else None
        self.watchdog_s: float | None = _watchdog_s()

    def ready(self) -> None:
        """READY=1"""
        self._tell("READY=1")

    def alive(self, status: str) -> None:
        """WATCHDOG=1"""
        self._tell(f"STATUS={status}\nWATCHDOG=1")

    def stopping(self) -> None:
        """STOPPING=1"""
        self._tell("STOPPING=1")

    def _tell(self, words: str) -> None:
        if self._notifier is not None:
            self._notifier.notify(words)


def _watchdog_s() -> float | None:
    """Of WATCHDOG_USEC, unless it is meant for another process (sd_watchdog_enabled(3))."""
    told, meant_for = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not told.isdigit() or (meant_for and meant_for != str(os.getpid())):
        return None
    return int(told) / MICRO
