"""What Alpaca's error answers mean for an order: an allowlist; all that is not in it is unknown.

Alpaca says that status and code are its contract and that messages may change, so those decide.
Messages only part what shares a code, and never turn a doubt into a refusal. After docs.alpaca.
markets, "Placing Orders", "Working with /orders", "User protection" and "Options: error responses".
"""

import json
import re
from enum import StrEnum
from typing import NamedTuple

from engine.links.http import Answer


class Verdict(StrEnum):
    """What an error answer says for certain."""

    REJECTED = "refused for certain"
    INVALID = "refused for certain, or its client id is taken: by this very order, perhaps"
    NO_FUNDS = "refused for certain for lack of funds or shares"
    NO_SUCH_ORDER = "there is no such thing"
    NOT_CANCELABLE = "refused for certain: the order is done"
    DENIED = "the key, or the account, is not accepted"
    PAUSE = "refused unread: ask less often"
    UNKNOWN = "nothing"


class Complaint(NamedTuple):
    """An error answer, understood. ``sentence`` ends without a full stop."""

    verdict: Verdict
    sentence: str


BAD_INPUT = 40010001
REFUSED = 40310000
DAY_TRADING = 40310100
NOT_FOUND = 40410000
BAD_ORDER = 42210000

CODES: dict[tuple[int, int], Verdict] = {
    (400, 40010000): Verdict.REJECTED,
    (400, BAD_INPUT): Verdict.REJECTED,
    (403, REFUSED): Verdict.REJECTED,
    (403, DAY_TRADING): Verdict.REJECTED,
    (404, NOT_FOUND): Verdict.NO_SUCH_ORDER,
    (422, BAD_INPUT): Verdict.INVALID,
    (422, BAD_ORDER): Verdict.REJECTED,
}
# Messages that make more of a refusal than its code says.
FINER: tuple[tuple[re.Pattern[str], Verdict], ...] = (
    (re.compile(r"client.?order.?id must be unique", re.I), Verdict.INVALID),
    (re.compile(r"^insufficient |position intent mismatch|not allowed to short", re.I),
     Verdict.NO_FUNDS),
    (re.compile(r"not authorized to trade|account is (?:not active|blocked|restricted)"
                r"|trading is (?:blocked|suspended)|rejected by user request", re.I),
     Verdict.DENIED),
    (re.compile(r"order is already in |not cancell?able", re.I), Verdict.NOT_CANCELABLE),
)  # fmt: skip
ADVICE: dict[int, str] = {
    DAY_TRADING: "hold the position overnight, or see what the account is asked for at Alpaca",
}
LONGEST_MESSAGE = 200


def judge(answer: Answer | None) -> Complaint:
    """What an answer that is not a success says; ``UNKNOWN`` for all that is not documented."""
    if answer is None:
        return Complaint(Verdict.UNKNOWN, "there was no answer")
    code, message = _error_of(answer.text)
    sentence = f"HTTP {answer.status}"
    if message:
        sentence = message if code is None else f"{message} ({code})"
    if code in ADVICE:
        sentence += f": {ADVICE[code]}"
    if answer.status == 429:
        return Complaint(Verdict.PAUSE, sentence)
    # By the gate, before anybody read it; a page of HTML is somebody else's.
    is_forbidden = answer.status == 403 and code is None and bool(message)
    if answer.status == 401 or is_forbidden:
        return Complaint(Verdict.DENIED, sentence)
    verdict = CODES.get((answer.status, code or 0), Verdict.UNKNOWN)
    if verdict in (Verdict.REJECTED, Verdict.INVALID):
        verdict = next((finer for words, finer in FINER if words.search(message)), verdict)
    return Complaint(verdict, sentence)


def _error_of(text: str) -> tuple[int | None, str]:
    """Code and message of an error answer; no code for anything else."""
    try:
        body = json.loads(text)
    except ValueError:
        return None, ""
    if not isinstance(body, dict):
        return None, ""
    code = body.get("code")
    is_code = isinstance(code, int) and not isinstance(code, bool)
    message = str(body.get("message", ""))[:LONGEST_MESSAGE].strip().rstrip(".")
    return (code if is_code else None), message
