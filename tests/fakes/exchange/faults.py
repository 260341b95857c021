"""The faults that a test scripts by name; ``FAULTS`` is the table of them."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.fakes.exchange.records import CONTINGENT


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
    "lands_late": FaultKind(
        N, "the connection is cut; processed later: on release, or after a time",
        "seconds of the exchange's time; None: on release only",
    ),
    "hang": FaultKind(N, "nothing until released; then processed and answered"),
    "cut": FaultKind(N, "never processed; the connection is reset"),
    "cut_after_accept": FaultKind(A, "processed; the connection is reset"),
    "invisible": FaultKind(
        A, "processed, the connection is reset; the order is in no answer until released",
        "seconds of the exchange's time; None: until released",
    ),
    "status_5xx": FaultKind(N, "never processed; an answer without a body", "HTTP status", 503),
    "status_504_after_accept": FaultKind(A, "processed; 504 without a body"),
    "code_1007": FaultKind(A, "processed; 504 with -1007, execution status unknown"),
    "rate_limit_429": FaultKind(
        N, "429 with Retry-After; asking again before then is answered 418", "seconds", 1
    ),
    "ban_418": FaultKind(N, "418 with Retry-After, to every request before then", "seconds", 1),
    "html": FaultKind(N, "a page of HTML", "HTTP status", 403),
    "junk_after_accept": FaultKind(A, "processed; 200 with a page of HTML"),
    "nan_json": FaultKind(A, "processed; every number of the answer is NaN"),
    "null_json": FaultKind(A, "processed; every number of the answer is null"),
    "huge_json": FaultKind(A, "processed; the answer is filled up with a long text", "MB", 24),
    "drip": FaultKind(A, "processed; the answer comes byte by byte until released"),
    "partial_then_cancel": FaultKind(
        A, "fills a share of the order, then the exchange cancels the rest", "share", "0.5"
    ),
    "refuse_stop": FaultKind(
        N, "an order with a stop is refused", "message", "Order would trigger immediately."
    ),
    "error": FaultKind(
        N, "never processed; any documented error", "'CODE message'", "-1000 An unknown error."
    ),
    "kill_before_accept": FaultKind(N, "kill -9 of a process, never processed", "process id"),
    "kill_after_accept": FaultKind(A, "processed, then kill -9 of a process", "process id"),
    "duplicate_fill": FaultKind(S, "every trade is listed and streamed twice"),
    "fills_out_of_order": FaultKind(S, "trades are listed and streamed newest first"),
    "drop_frames": FaultKind(S, "frames of the user's stream are lost", "how many; None: all"),
    "disconnect_stream": FaultKind(S, "all streams are cut; new ones are refused until released"),
    "key_revoked": FaultKind(S, "signed requests are answered -2015"),
    "clock_skew": FaultKind(S, "the exchange's clock is off", "seconds", 0),
    "commission_asset": FaultKind(S, "fees are taken in this asset", "asset", "BNB"),
    "step_change": FaultKind(S, "another LOT_SIZE", "'SYMBOL STEP'", "BTCUSDT 0.001"),
}  # fmt: skip


@dataclass(eq=False)
class Fault:
    """One scripted fault: strikes ``times`` requests that match, from the ``nth`` on.

    ``on`` is "POST order", "GET *" or "*". ``hits`` counts how often it struck.
    """

    name: str
    on: str = "*"
    side: str | None = None
    client_id: str | None = None
    nth: int = 1
    times: int = 1
    value: Any = None
    seen: int = 0
    hits: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def kind(self) -> FaultKind:
        """Its row of the table."""
        return FAULTS[self.name]

    def strikes(self, endpoint: str, sent: Mapping[str, str]) -> bool:
        """Whether this request is one of those; counts it."""
        method, _, path = self.on.partition(" ")
        if (
            self.on != "*"
            and endpoint != self.on
            and not (path == "*" and endpoint.startswith(method + " "))
        ):
            return False
        ids = [value for name, value in sent.items() if name.lower().endswith("clientorderid")]
        kinds = {sent.get(name) for name in ("type", "aboveType", "belowType")}
        if self.side not in (None, sent.get("side")):
            return False
        if self.client_id is not None and self.client_id not in ids:
            return False
        if self.name == "refuse_stop" and not kinds & CONTINGENT:
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
            fault.value = fault.kind.default
        self.faults.append(fault)
        return fault

    def take(self, endpoint: str, sent: Mapping[str, str]) -> Fault | None:
        """The first fault that strikes this request."""
        for fault in self.faults:
            if fault.kind.stage is not S and fault.strikes(endpoint, sent):
                return fault
        return None

    def state(self, name: str) -> Fault | None:
        """A lasting fault that is in force."""
        found = [f for f in self.faults if f.name == name and not f.released.is_set()]
        return found[-1] if found else None
