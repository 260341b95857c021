"""The pages' only door to the engine: one method a call of docs/api.md."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from engine.contracts import (
    AccountReport,
    AccountView,
    AuditEntry,
    BotConfig,
    BotPreview,
    BotView,
    Chart,
    CheckRequest,
    CloneRequest,
    CloseRequest,
    ControlRequest,
    Decision,
    EngineStats,
    EquityPoint,
    Event,
    EventFilter,
    Fill,
    Finding,
    FindingFilter,
    Health,
    KillLevel,
    KillRequest,
    KillSwitch,
    LimitUsage,
    MarketView,
    Order,
    Overview,
    PositionView,
    Resolution,
    ResolveRequest,
    ScopeKind,
    SettingsUpdate,
    SettingView,
    StartRequest,
    StopRequest,
    StrategyView,
    SymbolView,
    TradeFilter,
    TradePage,
)  # fmt: skip
from engine.contracts.performance import PerformanceFilter, PerformanceView, ReportTable
from panel.account_calls import AccountCalls
from panel.ai_calls import AiCalls
from panel.backtest_calls import BacktestCalls
from panel.backup_calls import BackupCalls
from panel.candle_calls import CandleCalls
from panel.channel_calls import ChannelCalls
from panel.connection import (
    HEARTBEAT_TIMEOUT,
    EngineOff,
    EngineRefused,
    EngineSilent,
    PanelError,
)
from panel.diagnostics_calls import DiagnosticsCalls
from panel.news_calls import NewsCalls
from panel.rules_calls import RuleCalls
from panel.signal_calls import SignalCalls
from panel.study_calls import StudyCalls
from panel.token_calls import TokenCalls

__all__ = ["ControlPanel", "EngineOff", "EngineRefused", "EngineSilent", "PanelError"]

API = "/api/v1"


class ControlPanel(
    RuleCalls,
    CandleCalls,
    BacktestCalls,
    StudyCalls,
    AccountCalls,
    SignalCalls,
    AiCalls,
    NewsCalls,
    DiagnosticsCalls,
    TokenCalls,
    BackupCalls,
    ChannelCalls,
):
    """The calls of docs/api.md; every one raises EngineOff or EngineRefused."""

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

    def controls(self) -> list[KillSwitch]:
        """Every control in force: the kill switch first, then those on a part."""
        return self._get(list[KillSwitch], f"{API}/controls")

    def set_control(
        self, scope: ScopeKind, key: str, level: KillLevel, *, reason: str = ""
    ) -> KillSwitch:
        """Set a control on everything, an account, a bot or a symbol; ``NONE`` releases it."""
        body = ControlRequest(scope=scope, key=key, level=level, reason=reason)
        return self._post(KillSwitch, f"{API}/controls", body)

    def limits(self) -> list[LimitUsage]:
        """How far the gateway's limits are used."""
        return self._get(list[LimitUsage], f"{API}/limits")

    # --- bots
    def bots(self) -> list[BotView]:
        """All bots."""
        return self._get(list[BotView], f"{API}/bots")

    def bot(self, bot_id: str) -> BotView:
        """One bot by id or name."""
        return self._get(BotView, _bot(bot_id))

    def create_bot(
        self, config: BotConfig | Mapping[str, Any], *, confirm_name: str = ""
    ) -> BotView:
        """Save a new bot, stopped. A mapping may hold anything: the engine judges it.
        ``confirm_name``: the bot's name, typed, where it trades real money."""
        return self._post(BotView, f"{API}/bots", config, query={"confirm_name": confirm_name})

    def preview_bot(
        self, config: BotConfig | Mapping[str, Any], *, bot_id: str | None = None
    ) -> BotPreview:
        """What a configuration would mean; nothing is saved. ``bot_id`` when editing."""
        return self._post(BotPreview, f"{API}/bots/preview", config, query={"bot_id": bot_id})

    def update_bot(
        self, bot_id: str, config: BotConfig | Mapping[str, Any], *, confirm_name: str = ""
    ) -> BotView:
        """Save a stopped bot's new configuration; ``confirm_name`` as in ``create_bot``."""
        query = {"confirm_name": confirm_name}
        return self._parse(BotView, self._send("PUT", _bot(bot_id), config, query=query))

    def delete_bot(self, bot_id: str) -> None:
        """Delete a stopped bot without a position."""
        self._send("DELETE", _bot(bot_id))

    def start_bot(self, bot_id: str, *, confirm_name: str = "") -> BotView:
        """Ask for a bot to run; ``confirm_name`` as in ``create_bot``."""
        body = StartRequest(confirm_name=confirm_name)
        return self._post(BotView, _bot(bot_id, "start"), body)

    def pause_bot(self, bot_id: str) -> BotView:
        """Ask for a bot to enter nothing new; its exits stay watched."""
        return self._post(BotView, _bot(bot_id, "pause"))

    def stop_bot(self, bot_id: str, *, close_position: bool = False) -> BotView:
        """Ask for a bot to stop, keeping its position or closing it first."""
        return self._post(BotView, _bot(bot_id, "stop"), StopRequest(close_position=close_position))

    def clone_bot(self, bot_id: str, name: str, *, confirm_name: str = "") -> BotView:
        """Copy a bot's configuration under a new name; ``confirm_name`` is that name."""
        body = CloneRequest(name=name, confirm_name=confirm_name)
        return self._post(BotView, _bot(bot_id, "clone"), body)

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

    # --- orders by hand
    def place_order(self, bot_id: str, ticket: Mapping[str, Any]) -> list[Order]:
        """Place an order ticket, whose fields the engine judges: its order, or none for a target
        with a stop, which become the position's levels."""
        return self._post(list[Order], _bot(bot_id, "orders"), ticket)

    def cancel_order(self, bot_id: str, client_id: str) -> Order:
        """Take back what is not filled of an order."""
        return self._post(Order, _order(bot_id, client_id, "cancel"))

    def replace_order(self, bot_id: str, client_id: str, changes: Mapping[str, Any]) -> Order:
        """Change a working order's prices or quantity; the one that works in its stead."""
        return self._post(Order, _order(bot_id, client_id, "replace"), changes)

    def close_position(self, bot_id: str, fraction: Decimal = Decimal(1)) -> BotView:
        """Close a part of a bot's position at the market."""
        return self._post(BotView, _bot(bot_id, "close"), CloseRequest(fraction=fraction))

    # --- books against venues
    def account_reports(self) -> list[AccountReport]:
        """Both sides of every account, as of its last check."""
        return self._get(list[AccountReport], f"{API}/reconcile")

    def check_account(self, account_id: str) -> AccountReport:
        """Compare an account with its venue now."""
        body = CheckRequest(account_id=account_id)
        return self._post(AccountReport, f"{API}/reconcile", body)

    def findings(self, chosen: FindingFilter | None = None) -> list[Finding]:
        """Findings that match, the newest seen first."""
        return self._get(list[Finding], f"{API}/findings", _query(chosen or FindingFilter()))

    def resolve_finding(
        self, finding_id: str, resolution: Resolution, *, bot_id: str | None = None
    ) -> Finding:
        """Decide about a finding; ``bot_id`` names the bot that adopts it."""
        body = ResolveRequest(finding_id=finding_id, resolution=resolution, bot_id=bot_id)
        return self._post(Finding, f"{API}/findings/resolve", body)

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

    def performance(self, chosen: PerformanceFilter) -> PerformanceView:
        """Figures, curves and comparisons of what was traded, by quote asset."""
        return self._get(PerformanceView, f"{API}/performance", _query(chosen))

    def performance_html(self, chosen: PerformanceFilter) -> bytes:
        """The report as one page."""
        return self._send("GET", f"{API}/performance/report.html", query=_query(chosen)).content

    def performance_csv(self, chosen: PerformanceFilter, table: ReportTable) -> bytes:
        """One table of the report."""
        query = {**_query(chosen), "table": table}
        return self._send("GET", f"{API}/performance/report.csv", query=query).content

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


def _bot(bot_id: str, verb: str = "") -> str:
    path = f"{API}/bots/{quote(bot_id, safe='')}"
    return f"{path}/{verb}" if verb else path


def _order(bot_id: str, client_id: str, verb: str) -> str:
    return f"{_bot(bot_id, 'orders')}/{quote(client_id, safe='')}/{verb}"


def _query(chosen: TradeFilter | EventFilter | FindingFilter | PerformanceFilter) -> dict[str, Any]:
    return dict(chosen.model_dump(mode="json"))
