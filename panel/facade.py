"""The pages' only door to the engine: one method a call of docs/api.md."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from engine.contracts import (
    AccountView,
    AuditEntry,
    BotConfig,
    BotPreview,
    BotView,
    Chart,
    CloneRequest,
    Decision,
    EngineStats,
    EquityPoint,
    ErrorBody,
    ErrorDetail,
    Event,
    EventFilter,
    Fill,
    Health,
    KillLevel,
    KillRequest,
    KillSwitch,
    MarketView,
    Order,
    Overview,
    PositionView,
    SettingsUpdate,
    SettingView,
    StopRequest,
    StrategyView,
    SymbolView,
    TradeFilter,
    TradePage,
)  # fmt: skip

__all__ = ["ControlPanel", "EngineOff", "EngineRefused", "EngineSilent", "PanelError"]

T = TypeVar("T")

API = "/api/v1"
TIMEOUT = httpx.Timeout(10.0, connect=2.0)
HEARTBEAT_TIMEOUT = httpx.Timeout(2.0)
"""A header that waits longer than this for the engine says that it does not answer."""


class PanelError(Exception):
    """The engine did not do what was asked; the message is meant for a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class EngineOff(PanelError):
    """Nobody answers at the engine's address."""


class EngineSilent(EngineOff):
    """Something listens at the engine's address but did not answer in time."""


class EngineRefused(PanelError):
    """The engine answered no, for the reason in the message.

    ``details`` has one row a field that is wrong (``field`` is a dotted name), ``code`` the kind of
    refusal and ``status`` the HTTP status.
    """

    def __init__(
        self,
        message: str,
        details: Sequence[ErrorDetail] = (),
        *,
        code: str = "error",
        status: int = 0,
    ) -> None:
        super().__init__(message)
        self.details = tuple(details)
        self.code = code
        self.status = status


class ControlPanel:
    """Calls the engine over HTTP and answers with the types of ``engine.contracts``.

    Every method raises EngineOff when nobody answers and EngineRefused when the engine says no.
    ``read_token`` is asked again when the engine refuses the token: a new engine has a new one.
    """

    def __init__(
        self,
        url: str,
        read_token: Callable[[], str],
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url
        self._read_token = read_token
        self._token = ""
        # trust_env would send loopback calls, token included, through a configured proxy
        self._http = httpx.Client(base_url=url, trust_env=False, transport=transport)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # --- the engine
    def health(self) -> Health:
        """The engine's heartbeat; the one call without a token, and the one that waits briefly."""
        return self._parse(Health, self._send("GET", "/health", timeout=HEARTBEAT_TIMEOUT))

    def overview(self) -> Overview:
        """Everything the Overview page shows."""
        return self._get(Overview, f"{API}/overview")

    def stats(self) -> EngineStats:
        """How the engine is doing: bots, cycles, lateness."""
        return self._get(EngineStats, f"{API}/stats")

    def shutdown(self) -> None:
        """Ask the engine to stop gracefully."""
        self._send("POST", f"{API}/shutdown")

    def kill_switch(self) -> KillSwitch:
        """The kill switch's level, and who set it when."""
        return self._get(KillSwitch, f"{API}/kill")

    def set_kill_switch(self, level: KillLevel) -> KillSwitch:
        """Set the kill switch; ``KillLevel.NONE`` releases it."""
        return self._post(KillSwitch, f"{API}/kill", KillRequest(level=level))

    # --- bots
    def bots(self) -> list[BotView]:
        """All bots."""
        return self._get(list[BotView], f"{API}/bots")

    def bot(self, bot_id: str) -> BotView:
        """One bot by id or name."""
        return self._get(BotView, _bot(bot_id))

    def create_bot(self, config: BotConfig | Mapping[str, Any]) -> BotView:
        """Save a new bot, stopped. A mapping may hold anything: the engine judges it."""
        return self._post(BotView, f"{API}/bots", config)

    def preview_bot(
        self, config: BotConfig | Mapping[str, Any], *, bot_id: str | None = None
    ) -> BotPreview:
        """What a configuration would mean; nothing is saved. ``bot_id`` when editing."""
        return self._post(BotPreview, f"{API}/bots/preview", config, query={"bot_id": bot_id})

    def update_bot(self, bot_id: str, config: BotConfig | Mapping[str, Any]) -> BotView:
        """Save a stopped bot's new configuration."""
        return self._parse(BotView, self._send("PUT", _bot(bot_id), config))

    def delete_bot(self, bot_id: str) -> None:
        """Delete a stopped bot without a position."""
        self._send("DELETE", _bot(bot_id))

    def start_bot(self, bot_id: str) -> BotView:
        """Ask for a bot to run."""
        return self._post(BotView, _bot(bot_id, "start"))

    def pause_bot(self, bot_id: str) -> BotView:
        """Ask for a bot to enter nothing new; its exits stay watched."""
        return self._post(BotView, _bot(bot_id, "pause"))

    def stop_bot(self, bot_id: str, *, close_position: bool = False) -> BotView:
        """Ask for a bot to stop, keeping its position or closing it first."""
        return self._post(BotView, _bot(bot_id, "stop"), StopRequest(close_position=close_position))

    def clone_bot(self, bot_id: str, name: str) -> BotView:
        """Copy a bot's configuration under a new name."""
        return self._post(BotView, _bot(bot_id, "clone"), CloneRequest(name=name))

    def chart(self, bot_id: str, *, limit: int = 300) -> Chart:
        """A bot's newest candles with its series and markers."""
        return self._get(Chart, _bot(bot_id, "chart"), {"limit": limit})

    def decisions(
        self, bot_id: str, *, limit: int = 100, action: str | None = None
    ) -> list[Decision]:
        """A bot's decisions, newest first."""
        query = {"limit": limit, "action": action}
        return self._get(list[Decision], _bot(bot_id, "decisions"), query)

    def orders(self, bot_id: str, *, limit: int = 200) -> list[Order]:
        """A bot's orders, newest first."""
        return self._get(list[Order], _bot(bot_id, "orders"), {"limit": limit})

    def fills(self, bot_id: str, *, limit: int = 500) -> list[Fill]:
        """A bot's fills, newest first."""
        return self._get(list[Fill], _bot(bot_id, "fills"), {"limit": limit})

    def equity(self, bot_id: str, *, limit: int = 2000) -> list[EquityPoint]:
        """A bot's equity, oldest first."""
        return self._get(list[EquityPoint], _bot(bot_id, "equity"), {"limit": limit})

    # --- what happened
    def positions(self) -> list[PositionView]:
        """All open positions."""
        return self._get(list[PositionView], f"{API}/positions")

    def trades(self, chosen: TradeFilter | None = None) -> TradePage:
        """A page of the trades that match, with totals over all of them."""
        return self._get(TradePage, f"{API}/trades", _query(chosen or TradeFilter()))

    def trades_csv(self, chosen: TradeFilter | None = None) -> bytes:
        """All trades that match, as CSV; paging is ignored."""
        query = _query(chosen or TradeFilter())
        del query["limit"], query["offset"]
        return self._send("GET", f"{API}/trades.csv", query=query).content

    def events(self, chosen: EventFilter | None = None) -> list[Event]:
        """Events that match, newest first."""
        return self._get(list[Event], f"{API}/events", _query(chosen or EventFilter()))

    def audit(self, *, limit: int = 200) -> list[AuditEntry]:
        """Who did what, newest first."""
        return self._get(list[AuditEntry], f"{API}/audit", {"limit": limit})

    # --- what there is to choose from
    def strategies(self) -> list[StrategyView]:
        """The strategies folder, broken files with their error."""
        return self._get(list[StrategyView], f"{API}/strategies")

    def markets(self) -> list[MarketView]:
        """Markets that bots can be created on."""
        return self._get(list[MarketView], f"{API}/markets")

    def symbols(self, market: str, search: str = "", *, limit: int = 50) -> list[SymbolView]:
        """Symbols of a market whose name contains ``search``."""
        query = {"market": market, "search": search, "limit": limit}
        return self._get(list[SymbolView], f"{API}/symbols", query)

    def accounts(self) -> list[AccountView]:
        """Accounts with their balances."""
        return self._get(list[AccountView], f"{API}/accounts")

    def settings(self) -> list[SettingView]:
        """Every setting in force."""
        return self._get(list[SettingView], f"{API}/settings")

    def update_settings(self, values: Mapping[str, str]) -> list[SettingView]:
        """Change editable settings by key."""
        update = SettingsUpdate(values=dict(values))
        return self._parse(list[SettingView], self._send("PUT", f"{API}/settings", update))

    # --- HTTP
    def _get(self, kind: type[T], path: str, query: Mapping[str, Any] | None = None) -> T:
        return self._parse(kind, self._send("GET", path, query=query))

    def _post(
        self,
        kind: type[T],
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
    ) -> T:
        return self._parse(kind, self._send("POST", path, body, query=query))

    def _parse(self, kind: type[T], response: httpx.Response) -> T:
        try:
            return TypeAdapter(kind).validate_json(response.content)
        except ValidationError as error:
            message = "The engine answered in a form that this panel does not know."
            raise EngineRefused(f"{message} Are both of the same version?") from error

    def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> httpx.Response:
        """Send one request; a refused token is read again, once. Raises PanelError."""
        content = None if body is None else TypeAdapter(Any).dump_json(body)
        params = {key: value for key, value in (query or {}).items() if value not in (None, "")}
        self._token = self._token or self._read_token()
        for attempt in (1, 2):
            headers = {"X-Quarterdeck-Actor": "panel"}
            if content is not None:
                headers["Content-Type"] = "application/json"
            if self._token and path != "/health":
                headers["Authorization"] = f"Bearer {self._token}"
            try:
                response = self._http.request(
                    method, path, content=content, params=params, headers=headers, timeout=timeout
                )
            except httpx.ConnectError as error:
                raise EngineOff(f"Nobody answers at {self.url}.") from error
            except httpx.HTTPError as error:
                raise EngineSilent(f"The engine does not answer: {_words(error)}.") from error
            if response.status_code != httpx.codes.UNAUTHORIZED or attempt == 2:
                break
            self._token = self._read_token()
        if response.is_error:
            raise _refusal(response)
        return response


def _words(error: httpx.HTTPError) -> str:
    return "it took too long" if isinstance(error, httpx.TimeoutException) else str(error)


def _bot(bot_id: str, verb: str = "") -> str:
    path = f"{API}/bots/{quote(bot_id, safe='')}"
    return f"{path}/{verb}" if verb else path


def _query(chosen: TradeFilter | EventFilter) -> dict[str, Any]:
    return dict(chosen.model_dump(mode="json"))


def _refusal(response: httpx.Response) -> EngineRefused:
    """What the engine said in its ``ErrorBody``, or its bare status when it said nothing."""
    try:
        body = ErrorBody.model_validate(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        status = f"{response.status_code} {response.reason_phrase}"
        return EngineRefused(f"The engine answered {status}.", status=response.status_code)
    return EngineRefused(body.message, body.details, code=body.code, status=response.status_code)
