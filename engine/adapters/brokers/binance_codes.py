"""What Binance's error codes mean for an order: an allowlist; all that is not in it is unknown.

After Binance's list of error codes for spot and its "Messages for -1010, -2010 and -2011".
"""

import json
from enum import StrEnum
from typing import NamedTuple

from engine.links.http import Answer


class Verdict(StrEnum):
    """What an error answer says for certain."""

    REJECTED = "refused for certain"
    RULES = "refused for certain, by a filter: the listing may have changed"
    NO_FUNDS = "refused for certain for lack of funds"
    NO_SUCH_ORDER = "there is no such order"
    DENIED = "the key is not accepted"
    PAUSE = "refused unread: ask less often"
    CLOCK = "refused unread: our clock is off"
    UNKNOWN = "nothing"


class Complaint(NamedTuple):
    """An error answer, understood."""

    verdict: Verdict
    sentence: str


CODES: dict[int, Verdict] = {
    -1002: Verdict.DENIED,
    -1003: Verdict.PAUSE,
    -1013: Verdict.RULES,
    -1014: Verdict.REJECTED,
    -1015: Verdict.PAUSE,
    -1020: Verdict.REJECTED,
    -1021: Verdict.CLOCK,
    -1022: Verdict.DENIED,
    **dict.fromkeys(range(-1106, -1099), Verdict.REJECTED),
    -1108: Verdict.REJECTED,
    -1111: Verdict.RULES,
    **dict.fromkeys(range(-1121, -1113), Verdict.REJECTED),
    -1128: Verdict.REJECTED,
    -1130: Verdict.REJECTED,
    -1131: Verdict.REJECTED,
    -1134: Verdict.REJECTED,
    -1145: Verdict.REJECTED,
    -1158: Verdict.REJECTED,
    -1160: Verdict.REJECTED,
    -1165: Verdict.REJECTED,
    -1166: Verdict.REJECTED,
    -1168: Verdict.REJECTED,
    **dict.fromkeys(range(-1199, -1195), Verdict.REJECTED),
    -2011: Verdict.NO_SUCH_ORDER,
    -2013: Verdict.NO_SUCH_ORDER,
    -2014: Verdict.DENIED,
    -2015: Verdict.DENIED,
    -2026: Verdict.NO_SUCH_ORDER,
}
# The matching engine's refusals share their codes: the message tells them apart. "Duplicate order
# sent." is not among them, since the order that it doubles may be this one.
ENGINE_CODES = frozenset({-1010, -2010})
MESSAGES: dict[str, Verdict] = {
    "Account has insufficient balance for requested action.": Verdict.NO_FUNDS,
    "Market is closed.": Verdict.REJECTED,
    "Market orders are not supported for this symbol.": Verdict.REJECTED,
    "Iceberg orders are not supported for this symbol.": Verdict.REJECTED,
    "Stop loss orders are not supported for this symbol.": Verdict.REJECTED,
    "Stop loss limit orders are not supported for this symbol.": Verdict.REJECTED,
    "Take profit orders are not supported for this symbol.": Verdict.REJECTED,
    "Take profit limit orders are not supported for this symbol.": Verdict.REJECTED,
    "Price * QTY is zero or less.": Verdict.REJECTED,
    "IcebergQty exceeds QTY.": Verdict.REJECTED,
    "This action is disabled on this account.": Verdict.REJECTED,
    "This account may not place or cancel orders.": Verdict.REJECTED,
    "Unsupported order combination": Verdict.REJECTED,
    "Order would trigger immediately.": Verdict.REJECTED,
    "Order would immediately match and take.": Verdict.REJECTED,
    "The relationship of the prices for the orders is not correct.": Verdict.REJECTED,
    "OCO orders are not supported for this symbol": Verdict.REJECTED,
    "Trailing stop orders are not supported for this symbol.": Verdict.REJECTED,
    "This symbol is not permitted for this account.": Verdict.REJECTED,
    "This symbol is restricted for this account.": Verdict.REJECTED,
    "Rest API trading is not enabled.": Verdict.REJECTED,
}
LONGEST_MESSAGE = 200


def judge(answer: Answer | None) -> Complaint:
    """What an answer that is not a success says; ``UNKNOWN`` for all that is not documented."""
    if answer is None:
        return Complaint(Verdict.UNKNOWN, "there was no answer")
    code, message = _error_of(answer.text)
    sentence = f"HTTP {answer.status}" if code is None else f"{message} ({code})"
    if answer.status in (418, 429):
        return Complaint(Verdict.PAUSE, sentence)
    if answer.status == 401:
        return Complaint(Verdict.DENIED, sentence)
    if not 400 <= answer.status < 500 or code is None:
        return Complaint(Verdict.UNKNOWN, sentence)
    if code in ENGINE_CODES:
        return Complaint(MESSAGES.get(message, Verdict.UNKNOWN), sentence)
    return Complaint(CODES.get(code, Verdict.UNKNOWN), sentence)


def _error_of(text: str) -> tuple[int | None, str]:
    """Code and message of an error answer; no code for anything else."""
    try:
        body = json.loads(text)
    except ValueError:
        return None, ""
    code = body.get("code") if isinstance(body, dict) else None
    if not isinstance(code, int) or isinstance(code, bool):
        return None, ""
    return code, str(body.get("msg", ""))[:LONGEST_MESSAGE]
