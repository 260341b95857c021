"""Which scope each route needs: one table, by the tag of its router, with the exceptions beside it.

A router without a row, or a route that is none of the table's, is for an admin only; a test sees
to it that no route is left to that.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.routing import APIRoute

from engine.domain.tokens import Scope

READ, SIGNALS, TRADE, ADMIN = Scope.READ, Scope.SIGNALS, Scope.TRADE, Scope.ADMIN


@dataclass(frozen=True)
class Area:
    """What the routes of one router need: to be read, and to be commanded."""

    reads: Scope = READ
    commands: Scope = TRADE


AREAS: Mapping[str, Area] = {
    "engine": Area(),
    "bots": Area(),
    "accounts": Area(),
    "books": Area(),
    "performance": Area(),
    "reference": Area(),
    "candles": Area(),
    "rules": Area(),
    "backtests": Area(),
    "studies": Area(),
    "market-data": Area(),
    "venue accounts": Area(commands=ADMIN),
    "signals": Area(),
    "inbox": Area(commands=SIGNALS),
    "metatrader": Area(commands=SIGNALS),
    "ai": Area(),
    "news": Area(),
    "backups": Area(commands=ADMIN),
    "tokens": Area(reads=ADMIN, commands=ADMIN),
    "alerts": Area(),
    "channels": Area(commands=ADMIN),
    "thin": Area(),
    "stream": Area(),
    "diagnostics": Area(commands=ADMIN),
    "heartbeat": Area(),
    "monitoring": Area(),
}
"""By the tag of a router."""

EXCEPTIONS: Mapping[str, Scope | None] = {
    "GET /health": None,
    "GET /heartbeat": None,  # no more than that it beats
    "GET /openapi.json": READ,
    "GET /api/mt5/orders": SIGNALS,
    "POST /webhook/{key}": None,  # the key in the address, and a signature, say who sends
    "PUT /api/v1/settings": ADMIN,
    "POST /api/v1/shutdown": ADMIN,
    "GET /api/v1/diagnostics/bundle": ADMIN,
    # They check and save nothing.
    "POST /api/v1/bots/preview": READ,
    "POST /api/v1/rules/preview": READ,
    "POST /api/v1/signals/read": READ,
    "POST /api/v1/backtests/preview": READ,
    "POST /api/v1/studies/preview": READ,
    "POST /api/v1/alerts/preview": READ,
    # It is a step of logging in at a venue, and its address may name the key.
    "GET /api/v1/venue-accounts/{key}/login": ADMIN,
}
"""By method and address; None: open, without a token."""

OWN_BODY = frozenset({"POST /api/v1/candles/inspect", "POST /webhook/{key}"})
"""What looks at the type and the size of a body by itself; it counts the bytes as they come."""

UNLIMITED = frozenset(
    {
        "GET /health",
        "GET /heartbeat",
        "POST /api/v1/kill",
        "POST /api/v1/controls",
        "POST /api/v1/shutdown",
    }
)  # fmt: skip
"""What must work however often somebody has asked for something else."""


@dataclass(frozen=True)
class RouteRule:
    """A route as the gate and the access log see it; ``scope`` None is open."""

    method: str
    template: str
    scope: Scope | None

    @property
    def name(self) -> str:
        """As in the tables."""
        return f"{self.method} {self.template}"

    @property
    def is_limited(self) -> bool:
        """Whether it counts against a rate."""
        return self.name not in UNLIMITED

    @property
    def has_own_body(self) -> bool:
        """Whether the gate leaves the body to the route."""
        return self.name in OWN_BODY


def routes_of(routers: Iterable[APIRouter]) -> list[APIRoute]:
    """The routes of an application, in the order in which it looks."""
    return [one for router in routers for one in router.routes if isinstance(one, APIRoute)]


def scope_of(method: str, template: str, tag: str) -> Scope | None:
    """What a route needs; None is open."""
    name = f"{method} {template}"
    if name in EXCEPTIONS:
        return EXCEPTIONS[name]
    area = AREAS.get(tag, Area(ADMIN, ADMIN))
    return area.reads if method == "GET" else area.commands


class RouteBook:
    """Finds the rule of a request before the router does, without reading its body."""

    def __init__(self, routes: Iterable[APIRoute]) -> None:
        self._rules: dict[tuple[str, int], list[tuple[re.Pattern[str], RouteRule]]] = {}
        self._add("GET", re.compile(r"^/openapi\.json$"), "/openapi.json", "")
        for route in routes:
            for method in sorted(route.methods or ()):
                self._add(method, route.path_regex, route.path_format, str(route.tags[0]))

    def find(self, method: str, path: str) -> RouteRule | None:
        """The first that matches, as in the router; None for an address that there is not."""
        for pattern, rule in self._rules.get((method, path.count("/")), ()):
            if pattern.match(path):
                return rule
        return None

    def _add(self, method: str, pattern: re.Pattern[str], template: str, tag: str) -> None:
        rule = RouteRule(method, template, scope_of(method, template, tag))
        key = (method, template.count("/"))
        self._rules.setdefault(key, []).append((pattern, rule))
