"""How a command ends when it does not succeed: one sentence and an exit code."""

from collections.abc import Sequence
from typing import Any

BAD_INPUT = 2
NOT_RUNNING = 3
FAILED = 1


class Failure(Exception):
    """One sentence for the person, and the exit code. ``details`` has one row a field."""

    exit_code = FAILED

    def __init__(
        self, message: str, code: str = "error", details: Sequence[dict[str, Any]] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.details = list(details)


class BadInput(Failure):
    """What was asked cannot be done as it was asked; nothing changed."""

    exit_code = BAD_INPUT


class NotRunning(Failure):
    """No engine of this data folder answers."""

    exit_code = NOT_RUNNING
