"""Questions to a provider of news: bounded, never repeated, failures in words without a key."""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ssl import SSLContext
from typing import Any

import httpx

from engine.domain.news_text import plain_text
from engine.errors import DataError, SourceBusy

TIMEOUT_S = 15.0
MOST_BYTES = 4 * 1024 * 1024
PAUSE_S = 60.0
"""When a provider asks for fewer questions without saying for how long."""
DAY_PAUSE_S = 3_600.0
"""When those of a day are used up: it is tried again every hour."""
LONGEST_PAUSE_S = 86_400.0
LONGEST_WORDS = 200
MASK = "***"


Query = Mapping[str, str | int]


@dataclass(frozen=True)
class Reply:
    """A provider's answer as JSON, None where it was none."""

    status: int
    body: Any
    retry_after_s: float | None


class NewsClient:
    """One provider at one address; used from many threads. Nothing that it raises or logs has the
    key in it."""

    def __init__(self, title: str, url: str, key: str, *, timeout_s: float = TIMEOUT_S) -> None:
        for name in ("httpx", "httpcore"):  # their lines have addresses with keys
            logging.getLogger(name).setLevel(logging.WARNING)
        self.title = title
        self._key = key
        self._timeout_s = timeout_s
        self._http = httpx.Client(
            base_url=url, timeout=timeout_s, follow_redirects=False, trust_env=False,
            verify=_trusted(),
        )  # fmt: skip

    def ask(self, path: str, query: Query, headers: Mapping[str, str] | None = None) -> Reply:
        """The answer, whatever its status but a redirect. Raises SourceBusy, DataError."""
        until_s = time.monotonic() + 2 * self._timeout_s
        body = bytearray()
        try:
            with self._http.stream("GET", path, params=dict(query), headers=headers) as response:
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MOST_BYTES or time.monotonic() > until_s:
                        raise DataError(f"{self.title}'s answer is too long or takes too long.")
        except httpx.TimeoutException:
            raise SourceBusy(f"{self.title} did not answer in {self._timeout_s:g} s.") from None
        except UnicodeEncodeError:
            raise DataError(
                f"The key of {self.title} has a letter that no key has. Correct it in .env."
            ) from None
        except httpx.HTTPError as error:  # its own text may have the address in it
            raise SourceBusy(
                f"{self.title} cannot be reached ({type(error).__name__}): look at this machine's"
                " network and at the address in the settings."
            ) from None
        if response.is_redirect:
            raise DataError(
                f"{self.title} sends us to another address; correct the one in the settings."
            )
        wait = response.headers.get("retry-after", "")
        told_s = min(float(wait), LONGEST_PAUSE_S) if wait.isdecimal() else None
        return Reply(response.status_code, _json(bytes(body)), told_s)

    def refusal(self, reply: Reply, said: str) -> DataError:
        """What a failed answer means; ``said`` are the provider's own words, if any."""
        words = self.quoted(said)
        because = f": {words}" if words else ""
        if reply.status in (401, 403):
            return DataError(f"{self.title} does not accept the key{because}. Correct it in .env.")
        if reply.status == httpx.codes.TOO_MANY_REQUESTS:
            return self.limited(said, PAUSE_S if reply.retry_after_s is None
                                else reply.retry_after_s)  # fmt: skip
        if reply.status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return SourceBusy(
                f"{self.title} answered {reply.status}{because}.",
                retry_after_s=reply.retry_after_s or 0.0,
            )
        return DataError(f"{self.title} refuses the question (status {reply.status}){because}.")

    def limited(self, said: str, wait_s: float) -> SourceBusy:
        """The provider's limit is reached."""
        words = self.quoted(said)
        return SourceBusy(
            f"{self.title}'s limit is reached{f': {words}' if words else ''}. It is asked again"
            f" after {round(wait_s / 60) or 1} min.",
            retry_after_s=wait_s,
        )

    def unreadable(self) -> DataError:
        """An answer of another form than documented."""
        return DataError(f"{self.title} gave an answer that cannot be read.")

    def quoted(self, said: object) -> str:
        """A provider's own words: some repeat the key that they were sent."""
        text = said if isinstance(said, str) else ""
        return plain_text(text.replace(self._key, MASK), LONGEST_WORDS).rstrip(".")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=lambda _name: None)
    except (RecursionError, UnicodeDecodeError, ValueError):
        return None


def text_of(value: object) -> str:
    """A field that should be text; empty where it is none."""
    return value if isinstance(value, str) else ""


def number_of(value: object) -> float | None:
    """A field that should be a number, or one in text; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (OverflowError, ValueError):
        return None


@lru_cache(maxsize=1)
def _trusted() -> SSLContext:
    """The certificates that are trusted; read once, which is slow."""
    return httpx.create_ssl_context(trust_env=False)
