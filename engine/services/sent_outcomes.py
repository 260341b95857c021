"""What becomes of a message that was handed to its provider: the same for the engine's outbox and
the watcher's."""

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from engine.domain.alert_texts import cut
from engine.domain.alerts import Delivery, DeliveryState
from engine.domain.delivery_rules import GIVEN_UP_AFTER, is_given_up, retry_after_s
from engine.errors import ChannelBusy, ChannelError, ChannelUnsure

if TYPE_CHECKING:  # the ports bring pandas and numba with them, and a watcher is small
    from engine.ports import Message, Notifier, Receipt

log = logging.getLogger("quarterdeck.alerts")

MOST_ANSWER = 500
FAULT = "It failed while it was sent; the log says why."
IN_DOUBT = "It may have arrived, so it is not sent again by itself."

S = DeliveryState
Outcome: TypeAlias = "Receipt | ChannelError"


class Lost(ChannelUnsure):
    """It may have arrived, and nobody can tell."""


class Unusable(ChannelBusy):
    """The channel cannot be opened as it is set up: nothing was sent, and it may be put right."""


def outcome_of(notifier: "Notifier", message: "Message") -> Outcome:
    """Send it; never raises. What is not known to have failed may have arrived."""
    try:
        return notifier.send(message)
    except ChannelUnsure as error:
        return error if notifier.can_find else Lost(error.message, answer=error.answer)
    except ChannelError as error:
        return error
    except Exception:
        log.exception("the notifier failed over %s", message.reference)
        return ChannelUnsure(FAULT) if notifier.can_find else Lost(FAULT)


def changes_of(
    delivery: Delivery, outcome: Outcome, now: datetime, chance: float
) -> dict[str, Any]:
    """What ``outcome`` changes of a message that is ``SENDING``; ``chance`` (0 to 1) spreads its
    next try. Without a new state it is to be looked up."""
    if not isinstance(outcome, ChannelError):
        return {
            "state": S.SENT, "sent_at": now, "error": "", "provider_id": outcome.provider_id,
            "answer": cut(outcome.answer, MOST_ANSWER), "segments": outcome.segments,
            "cost": outcome.cost,
        }  # fmt: skip
    told = {"error": outcome.message, "answer": cut(outcome.answer, MOST_ANSWER)}
    if isinstance(outcome, Lost):
        return told | {"state": S.UNCERTAIN, "error": f"{outcome.message} {IN_DOUBT}"}
    if isinstance(outcome, ChannelUnsure):
        return told | {"changed_at": delivery.changed_at}
    if not isinstance(outcome, ChannelBusy):
        return told | {"state": S.FAILED}
    if is_given_up(delivery, now):
        hours = GIVEN_UP_AFTER // timedelta(hours=1)
        words = f"Given up after {hours} hours: {outcome.message}"
        return told | {"state": S.FAILED, "error": words}
    wait_s = retry_after_s(delivery.attempts, outcome.retry_after_s, chance)
    return told | {"state": S.WAITING, "due_at": now + timedelta(seconds=wait_s)}
