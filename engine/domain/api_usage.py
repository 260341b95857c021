"""How much of a venue's allowance is used, as its answers tell in their headers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ApiUsage:
    """One allowance: ``used`` of ``limit``, both in the venue's own unit."""

    name: str
    used: int
    limit: int


BINANCE = {
    "x-mbx-used-weight-1m": ("Request weight in a minute", 6_000),
    "x-mbx-order-count-10s": ("Orders in 10 s", 100),
    "x-mbx-order-count-1d": ("Orders in a day", 200_000),
}
"""Binance spot tells what is used; the limits are those of its exchangeInfo (rateLimits)."""


def usage_of(headers: Mapping[str, str]) -> Sequence[ApiUsage]:
    """What headers, their names in lower case, tell; empty when they tell nothing.

    ``x-ratelimit-limit`` with ``x-ratelimit-remaining`` is what Alpaca and many others send.
    """
    found = [
        ApiUsage(title, int(told), limit)
        for header, (title, limit) in BINANCE.items()
        if (told := headers.get(header, "")).isdigit()
    ]
    limit, remaining = (
        headers.get("x-ratelimit-limit", ""),
        headers.get("x-ratelimit-remaining", ""),
    )
    if limit.isdigit() and remaining.isdigit():
        found.append(ApiUsage("Requests", max(0, int(limit) - int(remaining)), int(limit)))
    return found
