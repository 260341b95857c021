"""The faults that a test scripts by name; ``FAULTS`` is the table of them."""

import threading
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    """When a fault strikes."""

    INSTEAD = "instead of processing the request"
    AFTER = "after the request was processed"
    STATE = "at once, until it is released"


@dataclass(frozen=True)
class FaultKind:
    """What a fault does; ``value`` says what its value means."""

    stage: Stage
    effect: str
    value: str = ""
    default: Any = None


N, A, S = Stage.INSTEAD, Stage.AFTER, Stage.STATE
FAULTS: dict[str, FaultKind] = {
    "timeout_before_accept": FaultKind(N, "never processed; no answer until released"),
    "timeout_after_accept": FaultKind(A, "processed; no answer until released"),
    "lands_late": FaultKind(N, "the connection is cut; processed on release"),
    "cut": FaultKind(N, "never processed; the connection is reset"),
    "cut_after_accept": FaultKind(A, "processed; the connection is reset"),
    "status": FaultKind(N, "never processed; an answer without a body", "HTTP status", 503),
    "status_504_after_accept": FaultKind(A, "processed; 504 without a body"),
    "rate_limit_429": FaultKind(N, "429 with Retry-After", "seconds", 1),
    "html": FaultKind(N, "never processed; a page of HTML", "HTTP status", 503),
    "junk_after_accept": FaultKind(A, "processed; 200 with a page of HTML"),
    "nan_json": FaultKind(A, "processed; every amount of the answer is NaN"),
    "null_json": FaultKind(A, "processed; every amount of the answer is null"),
    "error": FaultKind(N, "never processed; any documented error", "'STATUS CODE message'"),
    "key_revoked": FaultKind(S, "requests are answered 401"),
    "activities_behind": FaultKind(S, "new trades are not listed among the activities yet"),
    "disconnect_stream": FaultKind(S, "streams are cut; new ones are refused until released"),
    "clock_skew": FaultKind(S, "the exchange's clock is off", "seconds", 0),
}


@dataclass(eq=False)
class Fault:
    """One scripted fault: strikes ``times`` requests that match, from the ``nth`` on.

    ``on`` is "POST /v2/orders", "GET *" or "*".
    """

    name: str
    on: str = "*"
    nth: int = 1
    times: int = 1
    value: Any = None
    seen: int = 0
    hits: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def stage(self) -> Stage:
        """When it strikes."""
        return FAULTS[self.name].stage

    def strikes(self, endpoint: str) -> bool:
        """Whether this request is one of those; counts it."""
        method, _, path = self.on.partition(" ")
        is_meant = self.on in ("*", endpoint) or (path == "*" and endpoint.startswith(method + " "))
        if not is_meant or self.released.is_set():
            return False
        self.seen += 1
        if not self.nth <= self.seen < self.nth + self.times:
            return False
        self.hits += 1
        return True


class Script:
    """The faults that are still to come, in the order in which they were scripted."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Script one. Raises ValueError for a name that is not in the table."""
        if fault.name not in FAULTS:
            raise ValueError(f"there is no fault '{fault.name}'; there are {', '.join(FAULTS)}")
        if fault.value is None:
            fault.value = FAULTS[fault.name].default
        self.faults.append(fault)
        return fault

    def take(self, endpoint: str) -> Fault | None:
        """The first fault that strikes this request."""
        for fault in self.faults:
            if fault.stage is not S and fault.strikes(endpoint):
                return fault
        return None

    def state(self, name: str) -> Fault | None:
        """A lasting fault that is in force."""
        found = [one for one in self.faults if one.name == name and not one.released.is_set()]
        return found[-1] if found else None
