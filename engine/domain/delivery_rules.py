"""How often, how long and in which order a message is tried. ADR 0022 says why."""

from datetime import datetime, timedelta

from engine.domain.alerts import Channel, Delivery, DeliveryState
from engine.domain.quiet_hours import may_go_at
from engine.domain.records import Level

SEVERITY = (Level.DEBUG, Level.INFO, Level.WARNING, Level.ERROR)
"""From the least to the worst."""
ESCALATED = (Level.WARNING, Level.ERROR)
OPEN = (DeliveryState.WAITING, DeliveryState.SENDING)
FINAL = tuple(one for one in DeliveryState if one not in OPEN)
AGAIN = frozenset({DeliveryState.FAILED, DeliveryState.UNCERTAIN, DeliveryState.DROPPED})
"""What a person may have sent again."""

FIRST_RETRY_S = 5.0
LONGEST_RETRY_S = 900.0
LONGEST_PAUSE_S = 3_600.0
"""The longest that a provider's own wish for a pause is followed."""
GIVEN_UP_AFTER = timedelta(hours=24)
LEAST_TRIES = 10
TROUBLE_AFTER = timedelta(minutes=10)
"""So long a provider may be down before that is an event of its own."""

SETTLES_AFTER = timedelta(seconds=30)
"""A message without an answer is looked up no earlier: it may still be on its way."""
LOOK_UPS = 3
LOOKED_UP_EVERY = timedelta(seconds=30)


def retry_after_s(attempts: int, asked_s: float, chance: float) -> float:
    """Seconds until the next try after ``attempts`` (at least one), which double up to a quarter of
    an hour; ``chance`` (0 to 1) spreads the upper half of them. Never less than the provider asked
    for, up to an hour."""
    longest = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(attempts - 1, 20))
    return max(min(asked_s, LONGEST_PAUSE_S), longest * (0.5 + 0.5 * chance))


def is_given_up(delivery: Delivery, now: datetime) -> bool:
    """Whether a message that does not go is tried no more. One that the engine slept over still
    has its tries."""
    is_old = now - delivery.created_at >= GIVEN_UP_AFTER
    return is_old and delivery.attempts >= LEAST_TRIES


def is_held(delivery: Delivery) -> bool:
    """Whether it came in quiet hours and was not tried yet."""
    return delivery.attempts == 0 and delivery.due_at > delivery.created_at


def urgency(delivery: Delivery) -> tuple[bool, datetime]:
    """Sorts what waits: what is of level error first, then by age."""
    return delivery.level is not Level.ERROR, delivery.created_at


def escalates_at(delivery: Delivery, channel: Channel) -> datetime:
    """When another channel is asked as well, where this one is not through yet; aware UTC."""
    due = may_go_at(channel.quiet, delivery.level, delivery.created_at)
    return due + timedelta(seconds=channel.escalate_after_s)
