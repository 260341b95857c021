"""Answers of bounded size and duration, and whether a request can have arrived at all."""

import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from requests import Response
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from engine.domain.api_usage import ApiUsage, usage_of

CHUNK = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """The last answer as it came, before anybody understood it."""

    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def retry_after_s(self) -> float | None:
        """How long to wait, where the answer says it."""
        return retry_after_s(self.headers)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """What ``Retry-After`` says, a number of seconds or a date (RFC 9110, 10.2.3); ``headers`` by
    their names in small letters. A date counts from that of the answer, whatever our clock says."""
    told = headers.get("retry-after", "").strip()
    if told.isdigit():
        return float(told)
    try:
        until, now = (parsedate_to_datetime(one) for one in (told, headers.get("date", "")))
        return max((until - now).total_seconds(), 0.0)
    except (ValueError, TypeError):  # no date, or one with a zone and one without
        return None


class AnswerUnreadable(requests.RequestException):
    """An answer that is too long, or takes too long to come."""


class BoundedAnswers:
    """Makes a session read no more than ``most_bytes`` and for no longer than ``deadline_s``, keep
    its last answer, and follow no redirect: an order goes where it was sent, once."""

    def __init__(self, session: requests.Session, most_bytes: int, deadline_s: float) -> None:
        self.last: Answer | None = None
        self._usage: dict[str, ApiUsage] = {}
        self._most_bytes = most_bytes
        self._deadline_s = deadline_s
        session.stream = True
        session.max_redirects = 0
        session.hooks["response"].append(self._read)

    def usage(self) -> Sequence[ApiUsage]:
        """What the answers so far have told of allowances, the newest of each."""
        return list(self._usage.values())

    def _read(self, response: Response, **_options: Any) -> None:
        until = time.monotonic() + self._deadline_s
        body = bytearray()
        try:
            while chunk := response.raw.read1(CHUNK, decode_content=True):  # what there is by now
                body += chunk
                if len(body) > self._most_bytes or time.monotonic() > until:
                    response.close()
                    raise AnswerUnreadable("the answer is too long or takes too long")
        except HTTPError as error:
            raise AnswerUnreadable(f"the answer broke off ({type(error).__name__})") from error
        response._content = bytes(body)  # where requests keeps what it has read itself
        text = body.decode("utf-8", errors="replace")
        headers = {name.lower(): value for name, value in response.headers.items()}
        self.last = Answer(response.status_code, text, headers)
        self._usage = {**self._usage, **{one.name: one for one in usage_of(headers)}}


def no_connection(error: BaseException) -> str | None:
    """Why the connection was never made, so that nothing can have arrived; None when it was, or
    may have been."""
    for link in _links(error):
        if isinstance(link, ssl.SSLCertVerificationError):
            return (
                "its TLS certificate does not verify: look at this machine's clock, and at what "
                "stands between it and the network"
            )
        if isinstance(link, NewConnectionError | ConnectTimeoutError | requests.ConnectTimeout):
            return "nobody answers at its address: look at this machine's network"
    return None


def never_connected(error: BaseException) -> bool:
    """Whether the connection was never made: then nothing can have arrived."""
    return no_connection(error) is not None


def _links(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it came of."""
    waiting, seen = [error], set[int]()
    while waiting:
        link = waiting.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        causes = (link.__cause__, link.__context__, getattr(link, "reason", None), *link.args)
        waiting += [cause for cause in causes if isinstance(cause, BaseException)]
