"""What a watcher keeps, and its own outbox: few messages, each told at most once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.alerts import AlertKind, Channel, Delivery, DeliveryState
from engine.domain.delivery_rules import FINAL, escalates_at
from engine.domain.money import UtcDatetime
from engine.domain.quiet_hours import may_go_at
from engine.domain.records import Level
from engine.domain.watching import Incident, LastWord, Watch, WatchRules

S = DeliveryState
MOST_KEPT = 100
REPLACED = "A newer message of the watcher took its place before it was sent."


class WatcherState(BaseModel):
    """All that a watcher keeps: its beat, a copy of the channels as they are sealed in the
    database, what it knows of the engine, and its messages."""

    model_config = ConfigDict(frozen=True)

    seen_at: UtcDatetime | None = None
    started_at: UtcDatetime | None = None
    rules: WatchRules = WatchRules()
    channels: tuple[Channel, ...] = ()
    watch: Watch = Watch()
    deliveries: tuple[Delivery, ...] = ()
    unreadable: str = Field(
        default="", description="why the database could not be read when it was last tried"
    )

    @property
    def listening(self) -> tuple[Channel, ...]:
        """The channels that tell when the engine is down."""
        return tuple(one for one in self.channels if tells(one))

    def find(self, delivery_id: str) -> Delivery | None:
        """A message by its id."""
        return next((one for one in self.deliveries if one.id == delivery_id), None)


@dataclass(frozen=True)
class Glimpse:
    """What a watcher reads of the engine's database. ``settings``: those that were changed in the
    panel, by name."""

    last: LastWord
    channels: Sequence[Channel]
    settings: Mapping[str, str]


def tells(channel: Channel) -> bool:
    """Whether a channel is on and has 'Engine down' ticked."""
    return channel.is_enabled and AlertKind.ENGINE_DOWN in channel.kinds


def put(state: WatcherState, made: Sequence[Delivery]) -> WatcherState:
    """With new messages; those of the same channel that still wait are replaced by them. A message
    that is there already is not put again."""
    fresh = [one for one in made if state.find(one.id) is None]
    channels = {one.channel_id for one in fresh}
    kept = [
        one.model_copy(update={"state": S.DROPPED, "error": REPLACED})
        if one.state is S.WAITING and one.channel_id in channels else one
        for one in state.deliveries
    ]  # fmt: skip
    return state.model_copy(update={"deliveries": _trimmed([*kept, *fresh])})


def change(state: WatcherState, changed: Delivery) -> WatcherState:
    """With another state of a message. One that would wait while a newer one of its channel is
    there is dropped: what it says is old."""
    if changed.state is S.WAITING and _newest(state, changed.channel_id) != changed.id:
        changed = changed.model_copy(update={"state": S.DROPPED, "error": REPLACED})
    deliveries = tuple(changed if one.id == changed.id else one for one in state.deliveries)
    return state.model_copy(update={"deliveries": deliveries})


def escalated(state: WatcherState, now: datetime) -> WatcherState:
    """With messages through the next channel, for those of level error that did not get through."""
    by_id = {one.id: one for one in state.channels}
    for late in state.deliveries:
        channel = by_id.get(late.channel_id)
        target = by_id.get(channel.escalate_to) if channel else None
        if channel is None or target is None or not _is_stuck(late, channel, now):
            continue
        if _newest(state, channel.id) != late.id:  # what it says is old
            continue
        state = change(state, late.model_copy(update={"is_escalated": True}))
        key = f"{late.alert_id}:{target.id}"
        if target.is_enabled and state.find(key) is None:
            due_at = may_go_at(target.quiet, late.level, now)
            stand_in = late.model_copy(update={
                "id": key, "channel_id": target.id, "channel_name": target.name,
                "channel_kind": target.kind, "state": S.WAITING, "attempts": 0, "error": "",
                "answer": "", "created_at": now, "changed_at": now, "due_at": due_at,
                "escalated_from": late.id, "is_escalated": False,
            })  # fmt: skip
            state = put(state, [stand_in])
    return state


def addressed(state: WatcherState, incident: Incident) -> tuple[Channel, ...]:
    """Who is told that it is over: the channels that were to tell of it, and are on."""
    asked = {
        one.channel_id for one in state.deliveries if one.alert_id.startswith(f"{incident.id}-")
    }
    return tuple(one for one in state.channels if one.is_enabled and one.id in asked)


def _newest(state: WatcherState, channel_id: str) -> str:
    return next((one.id for one in reversed(state.deliveries) if one.channel_id == channel_id), "")


def _is_stuck(late: Delivery, channel: Channel, now: datetime) -> bool:
    if late.level is not Level.ERROR or late.is_escalated or late.state in (S.SENT, S.DROPPED):
        return False
    return late.state is S.FAILED or escalates_at(late, channel) <= now


def _trimmed(deliveries: Sequence[Delivery]) -> tuple[Delivery, ...]:
    """Those that are settled long ago are forgotten."""
    excess = len(deliveries) - MOST_KEPT
    kept = []
    for one in deliveries:
        if excess > 0 and one.state in FINAL:
            excess -= 1
            continue
        kept.append(one)
    return tuple(kept)
