"""Requests over HTTP: paced, bounded, never repeated, and every failure given its meaning."""

import logging
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any

import httpx

from engine.adapters.brokers.rest.answers import parsed, shown
from engine.adapters.brokers.rest.description import Description, Meaning
from engine.adapters.brokers.rest.endpoints import Endpoint
from engine.adapters.brokers.rest.requests import Prepared, Values, prepare, sign
from engine.adapters.brokers.rest.timekeeping import VenueTime, read_time
from engine.adapters.brokers.rest.turns import Turns
from engine.adapters.brokers.rest.words import Unreadable
from engine.errors import (
    AccessDenied,
    BrokerError,
    BrokerUnavailable,
    InsufficientFunds,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from engine.links.http import retry_after_s
from engine.links.pause import Pause
from engine.ports import Clock

MOST_BYTES = 16 * 1024 * 1024
LONGEST_PAUSE_S = 86_400.0
TOO_MANY = 429
LONGEST_WORDS = 200
# What happens before a request has left: then nothing can have arrived.
NOT_SENT = (
    httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol,
    httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError,
)  # fmt: skip


@dataclass(frozen=True)
class Reply:
    """An answer as it came."""

    status: int
    text: str
    retry_after_s: float | None


class Kind(Enum):
    """What a request is: its failures mean different things."""

    QUESTION = "question"
    LOOK_UP = "look-up"
    ORDER = "order"


class ClockOff(BrokerUnavailable):
    """Refused unread because of our time, which is asked for before the next request."""


class RestClient:
    """One platform at one address. Used from many threads; what it raises has no key in it.

    ``pace_s`` overrides the description's distance between two requests, ``timeout_s`` its
    timeout, for tests; no answer is longer than ``most_bytes``.
    """

    def __init__(
        self,
        description: Description,
        address: str,
        secrets: Mapping[str, str],
        clock: Clock,
        *,
        pause: Pause | None = None,
        pace_s: float | None = None,
        timeout_s: float | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        for name in ("httpx", "httpcore"):  # their lines hold signed addresses
            logging.getLogger(name).setLevel(logging.WARNING)
        self.description = description
        self.name = description.name
        self.time = VenueTime(clock)
        self._address = address
        self._secrets = dict(secrets)
        self._clock = clock
        self._pause = pause or Pause(clock.monotonic)
        self._turns = Turns(1 / description.pace.requests_per_s if pace_s is None else pace_s)
        self._timeout_s = timeout_s or description.pace.timeout_s
        self._most_bytes = most_bytes
        options: dict[str, Any] = {
            "timeout": self._timeout_s, "follow_redirects": False, "trust_env": False,
            "verify": _trusted(),
        }  # fmt: skip
        self._questions = httpx.Client(**options)
        # A kept connection may have been closed meanwhile: an order on it would be in doubt.
        self._orders = httpx.Client(**options, limits=httpx.Limits(max_keepalive_connections=0))

    def ask(self, endpoint: Endpoint, values: Values | None = None, *, signed: bool = True) -> Any:
        """The answer to a question. Raises AccessDenied, BrokerUnavailable."""
        return self._asked(endpoint, values or {}, Kind.QUESTION, signed=signed)

    def look_up(self, endpoint: Endpoint, values: Values) -> Any:
        """The answer about one order. Raises NotFound, AccessDenied, BrokerUnavailable."""
        return self._asked(endpoint, values, Kind.LOOK_UP, signed=True)

    def send(self, endpoint: Endpoint, values: Values) -> Any:
        """Send an order, once. Raises as ``Broker.submit`` does."""
        return self._request(endpoint, values, Kind.ORDER, signed=True)

    def sync_clock(self) -> datetime:
        """Ask for the platform's time, if it tells it. Raises BrokerUnavailable."""
        endpoint = self.description.endpoints.time
        if endpoint is None:
            self.time.hear(self._clock.now())
            return self.time.now()
        before_s = self._clock.monotonic()
        answer = self._request(endpoint, {}, Kind.QUESTION, signed=False)
        try:
            told = endpoint.fields.time.find(answer)
            moment = read_time(told, endpoint.times or self.description.times)
        except (ValueError, OverflowError) as error:
            raise BrokerUnavailable(
                f"{self.name}: endpoints.time: '{endpoint.fields.time.source}' cannot be read as "
                f"a time: {error}."
            ) from error
        # The answer was written between question and now: half of the way is the best guess.
        self.time.hear(moment, age_s=(self._clock.monotonic() - before_s) / 2)
        return self.time.now()

    def close(self) -> None:
        """Close the connections."""
        self._questions.close()
        self._orders.close()

    # --- one request ---------------------------------------------------------------------------

    def _asked(self, endpoint: Endpoint, values: Values, kind: Kind, *, signed: bool) -> Any:
        try:
            return self._request(endpoint, values, kind, signed=signed)
        except ClockOff:
            return self._request(endpoint, values, kind, signed=signed)  # with the time set right

    def _request(self, endpoint: Endpoint, values: Values, kind: Kind, *, signed: bool) -> Any:
        told = self.description
        if signed:
            self._check_key()
        if signed and not self.time.is_known:
            self.sync_clock()
        prepared = prepare(endpoint, self._address, values, times=told.times, numbers=told.numbers)
        self._heed_pause()
        self._turns.wait(is_urgent=kind is not Kind.QUESTION)
        if signed:
            try:
                prepared = sign(prepared, told.authentication, self._secrets, self.time.now())
            except ValueError:
                raise AccessDenied(
                    f"{self.name}: the secret is not written as the description says "
                    "(secret_encoding); type it in again."
                ) from None
        try:
            reply = self._carry(prepared, kind)
        except NOT_SENT as error:
            raise BrokerUnavailable(
                f"{self.name}: {_no_connection(error)}; nothing was sent."
            ) from None
        except (httpx.HTTPError, Unreadable) as error:
            raise self._in_doubt(_lost(error), kind) from None
        return self._understood(reply, kind)

    def _check_key(self) -> None:
        missing = sorted(name for name in self.description.secrets if not self._secrets.get(name))
        if missing:
            raise AccessDenied(
                f"{self.name}: the account has no {' and no '.join(missing)}; type it in."
            )

    def _heed_pause(self) -> None:
        left = self._pause.left_s()
        if left > 0:
            raise BrokerUnavailable(
                f"{self.name}: it asks for no requests for another {left:.0f} s.",
                retry_after_s=left,
            )

    def _carry(self, request: Prepared, kind: Kind) -> Reply:
        """Send it and read no more, and for no longer, than an answer may be."""
        client = self._orders if kind is Kind.ORDER else self._questions
        if client.is_closed:
            raise BrokerUnavailable(f"{self.name}: the account was closed; nothing was sent.")
        until_s = time.monotonic() + 2 * self._timeout_s
        body = bytearray()
        with client.stream(
            request.method, request.url, content=request.body.encode() or None,
            headers=dict(request.headers),
        ) as response:  # fmt: skip
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > self._most_bytes or time.monotonic() > until_s:
                    raise Unreadable("the answer is too long or takes too long")
        return Reply(
            response.status_code, body.decode("utf-8", errors="replace"),
            retry_after_s(response.headers),
        )  # fmt: skip

    # --- what an answer means ------------------------------------------------------------------

    def _understood(self, reply: Reply, kind: Kind) -> Any:
        """The answer's content. Raises what its failure means."""
        is_good = 200 <= reply.status < 300
        try:
            answer = parsed(reply.text) if reply.text.strip() else {}
        except Unreadable as error:
            if is_good:
                raise self._in_doubt(str(error), kind) from None
            answer = None
        if is_good and not self._has_failed(answer):
            return answer
        raise self._meaning(reply, answer, kind)

    def _has_failed(self, answer: Any) -> bool:
        """Whether a success says that it is none; where that cannot be computed it is read on."""
        failed = self.description.errors.failed
        try:
            return failed is not None and failed.find(answer) is True
        except Unreadable:
            return False

    def _meaning(self, reply: Reply, answer: Any, kind: Kind) -> BrokerError | NotFound:
        """What a failure means to the desk. An order's answer counts only if a rule names it."""
        errors = self.description.errors
        code, message = _said(errors.code, answer), _said(errors.message, answer)
        rule = next((one for one in errors.rules if one.fits(reply.status, code)), None)
        means = rule.means if rule is not None else Meaning.UNKNOWN
        said = self._without_secrets(message or code) or f"status {reply.status}"
        if rule is not None and rule.says:
            said = f"{said}; {rule.says}"
        if means is Meaning.RATE_LIMITED or reply.status == TOO_MANY:
            return self._asks_for_pause(reply, said)
        if means is Meaning.CLOCK_OFF:
            self.time.doubt()
            return ClockOff(f"{self.name}: our clock was off; the platform's is asked for.")
        if means is Meaning.DENIED:
            return AccessDenied(f"{self.name} does not accept the key: {said}.")
        if kind is Kind.ORDER and means is Meaning.INSUFFICIENT_FUNDS:
            return InsufficientFunds(f"{self.name}: {said}.")
        if kind is Kind.ORDER and means is Meaning.REJECTED:
            return OrderRejected(f"{self.name}: {said}.")
        if kind is Kind.LOOK_UP and means is Meaning.NOT_FOUND:
            return NotFound(f"{self.name}: {said}.")
        if 300 <= reply.status < 400:
            said = "it sends us to another address; correct the one in the description"
        return self._in_doubt(f"{said} (status {reply.status})", kind)

    def _in_doubt(self, words: str, kind: Kind) -> BrokerError:
        words = self._without_secrets(words)
        if kind is Kind.ORDER:
            return OrderStateUnknown(f"{self.name} did not say what became of it: {words}.")
        return BrokerUnavailable(f"{self.name} gave no answer of use: {words}.")

    def _asks_for_pause(self, reply: Reply, said: str) -> BrokerUnavailable:
        told = reply.retry_after_s
        wait_s = min(self.description.pace.pause_s if told is None else told, LONGEST_PAUSE_S)
        self._pause.ask(wait_s)
        return BrokerUnavailable(
            f"{self.name}: no requests for {wait_s:.0f} s: {said}.", retry_after_s=wait_s
        )

    def _without_secrets(self, words: str) -> str:
        """A platform's own words: some repeat the key that they were sent."""
        for value in self._secrets.values():
            words = words.replace(value, "***") if value else words
        return " ".join(words.split())[:LONGEST_WORDS].rstrip(".")


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """The certificates that are trusted; read once, which is slow."""
    return httpx.create_ssl_context(trust_env=False)


def _said(path: Any, answer: Any) -> str:
    """A code or message; empty when it is not there, or no text."""
    if path is None:
        return ""
    try:
        told = path.find(answer)
    except ValueError:
        return ""
    is_text = isinstance(told, str | int) and not isinstance(told, bool)
    return str(told) if is_text else ""


def _no_connection(error: Exception) -> str:
    """Why there is none, and what to do."""
    if isinstance(error, httpx.LocalProtocolError | httpx.InvalidURL | UnicodeError):
        return "the request cannot be written; type the key and the secret in again"
    for link in _causes(error):
        if isinstance(link, ssl.SSLCertVerificationError):
            return (
                f"its certificate does not verify ({link.verify_message}); check the address in "
                "the description and the time of this machine"
            )
        if isinstance(link, socket.gaierror):
            return "its name is not known; check the address in the description and the network"
        if isinstance(link, ConnectionRefusedError):
            return "nothing answers at its address; check the address and its port"
    return f"no connection ({type(error).__name__}); check the network"


def _lost(error: Exception) -> str:
    """Its kind, never its text: that may have the address with the signature in it."""
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, Unreadable):
        return shown(error)
    return f"the connection broke off ({type(error).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it came of."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__
