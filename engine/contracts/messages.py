"""A message from outside, read without anything being done about it."""

from typing import Literal

from pydantic import ConfigDict, Field

from engine.contracts.base import Contract
from engine.contracts.signals import MAX_SIGNAL_BYTES
from engine.domain.money import UtcDatetime
from engine.domain.signals import SignalOrder


class ReadRequest(Contract):
    """A body as a sender would post it, placeholders filled in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    body: str = Field(min_length=1, max_length=MAX_SIGNAL_BYTES)
    content_type: Literal["application/json", "text/plain"] = "application/json"


class MessageReading(Contract):
    """What a body asks. ``is_marked``: it tells by itself which signal it is, so that further
    deliveries of it count as one however late they come."""

    order: SignalOrder
    sent_at: UtcDatetime | None = None
    is_marked: bool = False
