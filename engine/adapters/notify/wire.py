"""What all providers have in common: timeouts, pauses, quiet SDKs, and what a failed call means."""

import logging
import math
import socket
import ssl
from collections.abc import Iterable, Iterator

from engine.errors import ChannelBusy, ChannelUnsure

TIMEOUT_S = 10.0
"""To connect, and for each answer."""
LONGEST_ANSWER = 300
LONGEST_PAUSE_S = 3_600.0
MASK = "[hidden]"
REACH = "look at this machine's network and at the provider's status page"


def quiet(*names: str) -> None:
    """Keep the SDKs' own lines out of the log, whatever its level: their addresses have tokens in
    them (Telegram's and Discord's do), their parameters phone numbers."""
    for name in ("urllib3", "requests", "httpx", "httpcore", *names):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def masked(text: object, secrets: Iterable[str]) -> str:
    """On one line, shortened, without the secrets."""
    told = str(text)
    for secret in sorted((one for one in secrets if one), key=len, reverse=True):
        told = told.replace(secret, MASK)
    told = " ".join(told.split())
    return told if len(told) <= LONGEST_ANSWER else told[: LONGEST_ANSWER - 1] + "…"


def pause_s(told: object) -> float:
    """What Retry-After and its like say, in seconds; 0 when they say nothing of use."""
    try:
        pause = float(str(told))
    except ValueError:
        return 0.0
    return min(max(pause, 0.0), LONGEST_PAUSE_S) if math.isfinite(pause) else 0.0


def failed_call(provider: str, error: BaseException) -> ChannelBusy | ChannelUnsure:
    """What it means that a request for sending got no answer.

    Busy when no connection came about, so that nothing can have arrived; unsure otherwise. The
    error's own text is not told: it has the address in it.
    """
    if _is_certificate(error):
        return ChannelBusy(
            f"The certificate that answers as {provider} does not verify. Is the clock of this"
            " machine right, and does a proxy stand between? Nothing was sent."
        )
    if _never_left(error):
        return ChannelBusy(f"{provider} cannot be reached: {REACH}. Nothing was sent.")
    return ChannelUnsure(
        f"{provider} gave no answer to the message ({_name(error)}). It may have arrived."
    )


def again(provider: str, unsure: ChannelUnsure) -> ChannelBusy:
    """What is unsure of a message is none of a question: it can be asked again."""
    return ChannelBusy(f"{provider} does not answer as it should: {REACH}.", answer=unsure.answer)


def _is_certificate(error: BaseException) -> bool:
    """Whether a certificate that does not verify is behind it."""
    return any(isinstance(one, ssl.SSLCertVerificationError) for one in _chain(error))


def _never_left(error: BaseException) -> bool:
    from httpx import ConnectError, ConnectTimeout, PoolTimeout
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    unsent = (ConnectError, ConnectTimeout, PoolTimeout, ConnectTimeoutError, NewConnectionError,
              ConnectionRefusedError, socket.gaierror)  # fmt: skip
    return any(isinstance(one, unsent) for one in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it stands for: causes, contexts, and what is wrapped in its arguments
    (requests and urllib3 do that)."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        near = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting += [other for other in near if isinstance(other, BaseException)]


def _name(error: BaseException) -> str:
    """How an answer failed to come."""
    names = {type(one).__name__ for one in _chain(error)}
    if any("Timeout" in name or "TimedOut" in name for name in names):
        return "not in time"
    if any("Reset" in name or "Disconnected" in name or "Protocol" in name for name in names):
        return "the connection was cut"
    return f"none that can be read: {type(error).__name__}"
