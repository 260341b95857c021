"""Whose turn it is to send a request: one after another at a distance, orders first."""

import threading
import time
from collections.abc import Callable


class Turns:
    """Keeps requests of many threads ``distance_s`` apart. What is urgent goes before everything
    that waits already: at the close of a candle all bots ask for theirs, and an order must not
    stand behind them."""

    def __init__(self, distance_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._distance_s = distance_s
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._next_s = float("-inf")
        self._urgent = 0  # that wait

    def wait(self, *, is_urgent: bool) -> None:
        """Returns when it is the caller's turn."""
        with self._changed:
            self._urgent += is_urgent
            while (left_s := self._left_s(is_urgent=is_urgent)) > 0:
                self._changed.wait(left_s)
            self._next_s = self._monotonic() + self._distance_s
            self._urgent -= is_urgent
            self._changed.notify_all()

    def _left_s(self, *, is_urgent: bool) -> float:
        """How long until it may be the caller's turn, if nobody is told sooner."""
        left_s = self._next_s - self._monotonic()
        if left_s <= 0 and self._urgent and not is_urgent:
            return self._distance_s
        return left_s
