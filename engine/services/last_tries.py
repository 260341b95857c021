"""How the newest try of a channel went, be it one that is tried again."""

from engine.domain.alerts import Delivery, DeliveryState
from engine.domain.delivery_rules import OPEN
from engine.ports import Transaction

ENDED = (DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.UNCERTAIN)


def find_ended(tx: Transaction, channel_id: str) -> Delivery | None:
    """The newest message that was tried and is not tried again by itself."""
    found = tx.deliveries.select(channel_id=channel_id, state=ENDED, is_descending=True, limit=1)
    return found[0] if found else None


def last_error(tx: Transaction, channel_id: str) -> str:
    """Why the newest try failed; empty when it went well, and before the first.

    What only waits behind others was not tried, however new it is: a channel that is down is not
    well again because there is more to tell.
    """
    ended = find_ended(tx, channel_id)
    tries = [(ended.changed_at, ended.error)] if ended else []
    waiting = tx.deliveries.values("changed_at", "error", channel_id=channel_id, state=OPEN)
    tries += [(changed_at, error) for changed_at, error in waiting if error]
    return max(tries)[1] if tries else ""
