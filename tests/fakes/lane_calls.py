"""Calls on lanes that are made at once, on the caller's own thread."""

from collections.abc import Callable
from typing import TypeVar

from engine.errors import QuarterdeckError
from engine.services.lane_calls import LaneCalls

T = TypeVar("T")


class InlineCalls(LaneCalls):
    """``retired`` lists accounts whose thread was given back; ``failure``, while set, is what
    every call raises instead, as of a venue that hangs."""

    def __init__(self) -> None:
        self.failure: QuarterdeckError | None = None
        self.retired: list[str] = []

    def run(self, account_id: str, call: Callable[..., T], *args: object, look_at: str) -> T:
        """Now."""
        if self.failure is not None:
            raise self.failure
        return call(*args)

    def finish(self, account_id: str, call: Callable[..., object], *args: object) -> None:
        """Now."""
        call(*args)

    def retire(self, account_id: str) -> None:
        """Only remembered."""
        self.retired.append(account_id)
