"""The pause that a venue asks for: whoever speaks to it from this machine keeps it."""

import time
from collections.abc import Callable


class Pause:
    """Shared by all clients of one venue: it bans the address, whichever of them goes on asking."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._until_s = float("-inf")

    def ask(self, seconds: float) -> None:
        """Be silent for this long; a longer pause that is on stays on."""
        self._until_s = max(self._until_s, self._monotonic() + seconds)

    def left_s(self) -> float:
        """Seconds until somebody may ask again; 0 when there is no pause."""
        return max(self._until_s - self._monotonic(), 0.0)
