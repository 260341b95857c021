"""What can go wrong at Kite; ``FAULTS`` is the table of it."""

import threading
from dataclasses import dataclass, field
from enum import StrEnum


class Stage(StrEnum):
    """When a fault strikes."""

    INSTEAD = "instead of processing the request"
    AFTER = "after the request was processed"
    STATE = "as long as it is in force"


@dataclass(frozen=True)
class FaultKind:
    """What a fault does; ``value`` is its default value."""

    stage: Stage
    effect: str
    value: str = ""


N, A, S = Stage.INSTEAD, Stage.AFTER, Stage.STATE
FAULTS = {
    "no_answer": FaultKind(N, "never processed; no answer until released"),
    "no_answer_after_accept": FaultKind(A, "processed; no answer until released"),
    "cut": FaultKind(N, "never processed; the connection is reset"),
    "cut_after_accept": FaultKind(A, "processed; the connection is reset"),
    "status": FaultKind(N, "an answer of this status without a body", "503"),
    "gateway_504_after_accept": FaultKind(A, "processed; a gateway's 504 page"),
    "error": FaultKind(
        N, "any documented error: 'STATUS TYPE message'", "502 NetworkException OMS is down."
    ),
    "rate_limit": FaultKind(N, "429, without a Retry-After"),
    "html": FaultKind(N, "200 with a page of HTML"),
    "junk_after_accept": FaultKind(A, "processed; 200 with a page of HTML"),
    "nan": FaultKind(A, "processed; every number of the answer is NaN"),
    "null": FaultKind(A, "processed; every number of the answer is null"),
    "huge": FaultKind(A, "processed; the answer is filled up with a long text", "17"),
    "redirect": FaultKind(N, "sent to another address", "http://127.0.0.1:9/"),
    "logged_out": FaultKind(S, "the token has expired or was revoked"),
    "other_address": FaultKind(S, "orders come from an address that is not registered"),
    "market_closed": FaultKind(S, "orders are refused: the market is closed"),
    "rejected_later": FaultKind(S, "orders get a number and are refused", "RMS: scrip is blocked"),
    "slow_oms": FaultKind(S, "orders stay where they are received until released"),
    "invisible": FaultKind(S, "orders taken meanwhile are in no list until released"),
    "clock_skew": FaultKind(S, "Kite's clock is off by this many seconds", "0"),
}


@dataclass(eq=False)
class Fault:
    """One scripted fault: strikes ``times`` requests whose 'METHOD /path' begins with ``on``."""

    name: str
    on: str = ""
    times: int = 1
    value: str = ""
    hits: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def kind(self) -> FaultKind:
        """Its row of the table."""
        return FAULTS[self.name]

    def strikes(self, request: str) -> bool:
        """Whether it strikes a request; counts it."""
        if self.kind.stage is Stage.STATE or self.hits >= self.times or self.released.is_set():
            return False
        if not request.startswith(self.on):
            return False
        self.hits += 1
        return True
