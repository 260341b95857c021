"""What Kite's error answers mean: an allowlist; all that is not in it leaves an order unknown.

After "Exceptions and errors" of Kite Connect v3. The SDK knows fewer exceptions than the service
has (MarginException and HoldingException become general ones), so the answer itself is read.
"""

import json
from enum import StrEnum
from typing import NamedTuple

from engine.links.http import Answer

LOG_IN = "log in again on the Accounts page"


class Verdict(StrEnum):
    """What an error answer says for certain."""

    REJECTED = "refused for certain"
    NO_FUNDS = "refused for certain for lack of funds or shares"
    CLOSED = "refused for certain: the market is closed"
    NO_SUCH_ORDER = "there is no such order"
    LOGGED_OUT = "the day's login has ended"
    DENIED = "not allowed"
    PAUSE = "refused unread: ask less often"
    UNKNOWN = "nothing"


class Complaint(NamedTuple):
    """An error answer, understood."""

    verdict: Verdict
    sentence: str


# With status 400 only: Kite says to look into the order book after any other failure of an order.
REFUSALS = {
    "InputException": Verdict.REJECTED,
    "OrderException": Verdict.REJECTED,
    "UserException": Verdict.REJECTED,
    "MarginException": Verdict.NO_FUNDS,
    "HoldingException": Verdict.NO_FUNDS,
}
MARKET_CLOSED = "markets are closed"
NO_ORDER = "Couldn't find that `order_id`"
OTHER_ADDRESS = "is not allowed to place orders"
STATIC_IP = (
    "Kite takes orders only from the address that is registered: add this machine's public address"
    " under 'IP Whitelist' in your profile at developers.kite.trade"
)
LONGEST_MESSAGE = 200


def judge(answer: Answer | None) -> Complaint:
    """What an answer that is not a success says; ``UNKNOWN`` for all that is not documented."""
    if answer is None:
        return Complaint(Verdict.UNKNOWN, "there was no answer")
    kind, message = _error_of(answer.text)
    sentence = f"{message} ({kind})" if kind else f"HTTP {answer.status}"
    if answer.status == 429:
        return Complaint(Verdict.PAUSE, sentence)
    if answer.status == 403 and kind == "TokenException":
        return Complaint(Verdict.LOGGED_OUT, sentence)
    if answer.status == 403 and kind == "PermissionException":
        told = f"{sentence}; {STATIC_IP}" if OTHER_ADDRESS in message else sentence
        return Complaint(Verdict.DENIED, told)
    if answer.status in (400, 404) and message.startswith(NO_ORDER):
        return Complaint(Verdict.NO_SUCH_ORDER, sentence)
    if answer.status == 400 and kind in REFUSALS and MARKET_CLOSED in message.lower():
        return Complaint(Verdict.CLOSED, sentence)
    if answer.status == 400:
        return Complaint(REFUSALS.get(kind, Verdict.UNKNOWN), sentence)
    return Complaint(Verdict.UNKNOWN, sentence)


def _error_of(text: str) -> tuple[str, str]:
    """Kind and message of an error answer; both empty for anything else."""
    try:
        body = json.loads(text)
    except ValueError:
        return "", ""
    if not isinstance(body, dict) or body.get("status") != "error":
        return "", ""
    kind, message = body.get("error_type"), body.get("message")
    if not isinstance(kind, str) or not isinstance(message, str):
        return "", ""
    return kind, message.strip().rstrip(".")[:LONGEST_MESSAGE]
