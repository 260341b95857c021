"""How an advisor's requests reach an engine."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

import httpx
from pydantic import ValidationError

from engine.api.metatrader_desk import MetaTraderServices
from engine.api.wire import dump
from engine.contracts.metatrader import ExecutionSignal, PriceSignal
from engine.errors import QuarterdeckError
from engine.services.take_prices import Envelope
from tests.support.loopback import NO_TLS

Json = dict[str, Any]


class Wire(Protocol):
    """What ``WebRequest`` does: an answer, or None when there is none of 2xx."""

    def post(self, path: str, body: str) -> Json | None:
        """Send a body."""
        ...

    def get(self, path: str, query: Mapping[str, str]) -> Json | None:
        """Ask for something."""
        ...


class HttpWire:
    """To an engine's address, with a token; an engine that does not answer is one that is off."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._http = httpx.Client(
            base_url=url, headers=headers, verify=NO_TLS, trust_env=False, timeout=10
        )

    def post(self, path: str, body: str) -> Json | None:
        """Send a body."""
        return self._ask("POST", path, content=body)

    def get(self, path: str, query: Mapping[str, str]) -> Json | None:
        """Ask for something."""
        return self._ask("GET", path, params=query)

    def _ask(self, method: str, path: str, **options: Any) -> Json | None:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError:
            return None
        return answer.json() if answer.is_success else None

    def close(self) -> None:
        """End its connections."""
        self._http.close()


class DeskWire:
    """Straight to a desk, every body through its contract. ``is_cut``: nothing arrives;
    ``loses_answers``: it arrives, and the answer does not. ``sent`` is what was posted."""

    def __init__(self, desk: MetaTraderServices) -> None:
        self._desk = desk
        self.is_cut = False
        self.loses_answers = False
        self.sent: list[tuple[str, Json]] = []
        self.refused: list[str] = []

    def post(self, path: str, body: str) -> Json | None:
        """Send a body."""
        if self.is_cut:
            return None
        self.sent.append((path, json.loads(body)))
        try:
            if path == "/api/signals":
                kept = dump(
                    self._desk.take_prices(PriceSignal.model_validate_json(body), Envelope(body))
                )
            else:
                told = ExecutionSignal.model_validate_json(body)
                kept = dump(self._desk.take_report(told, Envelope(body)))
        except (ValidationError, QuarterdeckError) as error:
            self.refused.append(str(error))
            return None
        return None if self.loses_answers else json.loads(kept)

    def get(self, path: str, query: Mapping[str, str]) -> Json | None:
        """Ask for something."""
        if self.is_cut:
            return None
        assert path == "/api/mt5/orders"
        offers = self._desk.offers(query["account"], query["magic"])
        return None if self.loses_answers else json.loads(dump({"orders": offers}))
