"""One complete entity for every repository of the store."""

from datetime import time, timedelta
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from engine.domain.advice import (
    Advice,
    AdviceOutcome,
    AdvicePurpose,
    AdviceState,
    AiRole,
    Counsel,
    CounselVerdict,
    EntryProposal,
    ModelAction,
    ModelDecision,
    RiskLevel,
)
from engine.domain.alerts import (
    Alert,
    AlertKind,
    AlertState,
    Channel,
    ChannelKind,
    CrossDirection,
    Delivery,
    DeliveryState,
    PriceAlert,
    QuietHours,
)
from engine.domain.backtest_runs import (
    BacktestRequest,
    BacktestRun,
    Coverage,
    MarketSource,
    RunStage,
    RunState,
)
from engine.domain.backtests import BacktestTerms
from engine.domain.bots import ActiveHours, BotState, Direction, RoiStep
from engine.domain.decisions import Action, Decision, TraceStep, Verdict
from engine.domain.mailbox import BoxOrder, Deal
from engine.domain.news import NewsItem
from engine.domain.orders import Order, OrderState, OrderType, Purpose, Side
from engine.domain.positions import PositionEntry, PositionSide, Trade
from engine.domain.pushed import (
    HeldPosition,
    PushedBar,
    PushedPrice,
    SymbolFacts,
    Terminal,
    TerminalState,
)
from engine.domain.records import AuditEntry, EquityPoint, Event, Level, StrategyConfiguration
from engine.domain.retunes import Retune, RetuneSettings
from engine.domain.search_space import Range
from engine.domain.signals import (
    Listener,
    Signal,
    SignalAction,
    SignalOrder,
    SignalSource,
    SignalState,
)
from engine.domain.studies import (
    Luck,
    Study,
    StudyProgress,
    StudyRequest,
    StudyState,
    StudySummary,
)
from engine.domain.tokens import ApiToken, Scope
from engine.domain.venue_accounts import (
    AccountCheck,
    Grade,
    Inspection,
    Mode,
    SealedSecret,
    VenueAccount,
)
from engine.domain.walk_forward import WalkForward
from tests.fakes.clock import START
from tests.unit.samples import bot, config, fill, position

D = Decimal
BOT_ID = "b0000001"


def rich_bot(**changes: Any) -> BaseModel:
    """A bot with everything set that can be set."""
    settings = config(
        params={"period": 14, "factor": 2.5, "label": "ä\x00b", "levels": [30, 70.0]},
        stop_loss=D("0.0200"), take_profit=None, trailing_stop=D("0.015"), time_limit_s=3600,
        roi_steps=(RoiStep(after_s=60, profit=D("0.01")), RoiStep(after_s=600, profit=D("-0.5"))),
        direction=Direction.BOTH, max_entries=3, amount=D("100.10"),
        active_hours=ActiveHours.model_validate({"start": "08:00", "end": "20:30"}),
    )  # fmt: skip
    return bot(settings, started_at=START, realised_pnl=D("-0.00000001"), **changes)


def order(**changes: Any) -> Order:
    """A limit order to buy that is open."""
    fields: dict[str, Any] = {
        "client_id": "qd-b0000001-1-e", "bot_id": BOT_ID, "account_id": "paper:simulated",
        "symbol": "BTC/USDT", "side": Side.BUY, "type": OrderType.LIMIT, "purpose": Purpose.ENTRY,
        "state": OrderState.OPEN, "quantity": D("0.5"), "price": D("99.5"), "filled": D("0.1"),
        "position_id": "p1", "decided_at": START, "created_at": START, "updated_at": START,
        "stake_share": D("0.25"),
    }  # fmt: skip
    return Order(**(fields | changes))


def trade(**changes: Any) -> Trade:
    """A long trade that earned a little."""
    fields: dict[str, Any] = {
        "id": "p1", "bot_id": BOT_ID, "bot_name": "demo", "account_id": "paper:simulated",
        "market": "simulated", "symbol": "BTC/USDT", "quote": "USDT", "strategy": "rsi",
        "side": PositionSide.LONG, "quantity": D("0.0984"), "entry_time": START,
        "entry_price": D("100.5"), "entry_value": D("9.8892"),
        "exit_time": START + timedelta(minutes=5), "exit_price": D("1E+2"),
        "exit_value": D("9.840"), "fees": D("1E-8"), "pnl": D("-0.04920001"),
        "return_fraction": D("-0.0049751"), "entry_count": 1, "exit_reason": "stop_loss",
    }  # fmt: skip
    return Trade(**(fields | changes))


def decision(minute: int = 0, **changes: Any) -> Decision:
    """A decision to hold on the candle that opened at ``minute``."""
    opened = START + timedelta(minutes=minute)
    fields: dict[str, Any] = {
        "id": f"{BOT_ID}-1m-{minute}", "bot_id": BOT_ID, "candle_time": opened,
        "decided_at": opened + timedelta(seconds=60), "action": Action.HOLD, "reason": "RSI 44.2",
        "price": 100.1, "confidence": 1 / 3,
        "trace": (TraceStep(step="strategy", verdict=Verdict.HOLD, detail="in between",
                            values={"rsi": 44.2, "macd": None}),),
    }  # fmt: skip
    return Decision(**(fields | changes))


def event(number: int = 0, **changes: Any) -> Event:
    """Event ``number``, at that second."""
    fields: dict[str, Any] = {
        "id": f"e{number}", "time": START + timedelta(seconds=number), "level": Level.INFO,
        "kind": "order.filled", "message": f"Bought {number}", "bot_id": BOT_ID,
        "data": {"fee": "0.1"},
    }  # fmt: skip
    return Event(**(fields | changes))


def equity(number: int = 0, **changes: Any) -> EquityPoint:
    """Equity point ``number``, at that second."""
    fields: dict[str, Any] = {
        "id": f"q{number}", "bot_id": BOT_ID, "quote": "USDT", "equity": D(100), "realised": D(0),
        "time": START + timedelta(seconds=number), "unrealised": D("-0.5"),
    }  # fmt: skip
    return EquityPoint(**(fields | changes))


def audit(number: int = 0, **changes: Any) -> AuditEntry:
    """Audit entry ``number``, at that second."""
    fields: dict[str, Any] = {
        "id": f"a{number}", "time": START + timedelta(seconds=number), "actor": "panel",
        "action": "bot.create", "subject": BOT_ID, "detail": {"version": 1},
        "previous_digest": str(number - 1), "digest": str(number),
    }  # fmt: skip
    return AuditEntry(**(fields | changes))


def configuration(version: int = 1) -> StrategyConfiguration:
    """A version of the bot's settings."""
    return StrategyConfiguration(
        id=f"c{version}", bot_id=BOT_ID, version=version, strategy="rsi", params={"period": 14},
        settings=config().model_dump(mode="json"), created_at=START,
    )  # fmt: skip


def entry(**changes: Any) -> PositionEntry:
    """The position's first entry."""
    fields: dict[str, Any] = {
        "id": "qd-b0000001-1-e", "position_id": "p1", "bot_id": BOT_ID,
        "client_id": "qd-b0000001-1-e", "quantity": D(1), "value": D(100), "fee": D(0),
        "time": START,
    }  # fmt: skip
    return PositionEntry(**(fields | changes))


def backtest(**changes: Any) -> BacktestRun:
    """A backtest that waits, with everything set that can be set."""
    request = BacktestRequest(
        name="a first try", notes="ä", strategy="rsi", params={"period": 14}, timeframe="1h",
        source=MarketSource(market="simulated", symbols=("BTC/USDT", "ETH/USDT"),
                            fine_timeframe="5m"),
        since=START, until=START + timedelta(days=30),
        terms=BacktestTerms(amount=D("100.10"), fee_bps=D("7.5"), price_tick=D("0.01")),
    )  # fmt: skip
    fields: dict[str, Any] = {
        "id": "r1", "name": "a first try", "request": request, "created_at": START,
        "coverage": (Coverage(symbol="BTC/USDT", source="simulated", read_timeframe="5m",
                              timeframe="1h", bars=720, first=START, is_planned=True),),
        "warnings": ("There are gaps.",), "engine_version": "0.1.0", "progress": 0.25,
    }  # fmt: skip
    return BacktestRun(**(fields | changes))


def study(**changes: Any) -> Study:
    """A study that waits, with everything set that can be set."""
    request = StudyRequest(
        name="first", backtest=backtest().request.model_copy(
            update={"source": MarketSource(market="simulated", symbols=("BTC/USDT",))}
        ),
        ranges={"period": Range(low=5, high=20.5, step=0.5), "mode": Range(choices=("a", True))},
        walk_forward=WalkForward(train_bars=100, test_bars=50, folds=None), baseline={"period": 3},
    )  # fmt: skip
    fields: dict[str, Any] = {
        "id": "s1", "name": "first", "request": request, "created_at": START,
        "symbol": "BTC/USDT", "retune_of": BOT_ID,
        "progress": StudyProgress(stage="searching", fold=1, folds=2, trials=3, planned=6,
                                  best_value=0.5, best_values={"period": 7}),
    }  # fmt: skip
    return Study(**(fields | changes))


def retune() -> Retune:
    """The bot's, which waits to be applied."""
    return Retune(bot_id=BOT_ID, settings=RetuneSettings(is_on=True, margin=0.5), next_at=START,
                  study_id="s1", wins={"params": {"period": 7}}, updated_at=START)  # fmt: skip


def account(**changes: Any) -> VenueAccount:
    """An account that was never tested."""
    fields: dict[str, Any] = {
        "id": "ac000001", "name": "Main", "venue": "ccxt", "mode": Mode.TEST,
        "options": {"exchange": "binance", "sandbox": True}, "created_at": START,
        "updated_at": START,
    }  # fmt: skip
    return VenueAccount.model_validate(fields | changes)


def secret(**changes: Any) -> SealedSecret:
    """A sealed secret of ``account()``."""
    fields: dict[str, Any] = {
        "id": "ac000001/key", "account_id": "ac000001", "name": "key", "sealed": "c2VhbGVk",
        "updated_at": START,
    }  # fmt: skip
    return SealedSecret.model_validate(fields | changes)


def signal(**changes: Any) -> Signal:
    """A signal that was acted on."""
    fields: dict[str, Any] = {
        "id": "sg000001", "source": SignalSource.TRADINGVIEW, "sender": BOT_ID, "digest": "ab12",
        "bot_id": BOT_ID, "received_at": START, "sent_at": START, "address": "52.89.214.238",
        "content_type": "application/json", "body": '{"action": "buy"} ☂',
        "order": SignalOrder(action=SignalAction.OPEN, side=PositionSide.LONG,
                             quantity=D("0.10"), stop_price=D("98.5")),
        "decision_id": "d1", "order_ids": ("qd-1-e", "qd-1-x"), "copies": 3,
    }  # fmt: skip
    return Signal.model_validate(fields | changes)


def listener() -> Listener:
    """The bot's."""
    return Listener(bot_id=BOT_ID, key_digest="cd34", sealed_key="a2V5", sealed_secret="c2VjcmV0",
                    created_at=START, last_signal_at=START)  # fmt: skip


def advice(**changes: Any) -> Advice:
    """An answer whose horizon is not over."""
    fields: dict[str, Any] = {
        "id": "ad000001", "bot_id": BOT_ID, "bot_name": "First", "role": AiRole.ADVISOR,
        "purpose": AdvicePurpose.REVIEW, "state": AdviceState.ANSWERED, "provider": "gemini",
        "model": "gemini-2.5-flash", "market": "simulated", "symbol": "BTC/USDT",
        "timeframe": "15m", "candle_time": START, "asked_at": START, "latency_s": 0.75,
        "price": D("100.10"), "system": "Judge.", "prompt": "…", "answer": "{}",
        "decision": ModelDecision(action=ModelAction.BUY, confidence=0.8, reasoning="up",
                                  risk_level=RiskLevel.LOW, stop=D("98.5"), size=0.5),
        "counsel": Counsel(verdict=CounselVerdict.REDUCE, reason="less", size=0.5),
        "proposal": EntryProposal(side=PositionSide.LONG, amount=D("100"), price=D("100.10")),
        "decision_id": "d1", "tokens_in": 900, "tokens_out": 80, "cost": D("0.00047"),
        "outcome_due_at": START, "facts": {"news": 2},
    }  # fmt: skip
    return Advice.model_validate(fields | changes)


def alert() -> Alert:
    """A position that was closed."""
    return Alert(id="al000001", kind=AlertKind.POSITION_CLOSED, level=Level.INFO, time=START,
                 title="First: position closed", text="Sold ½ at 1.10", bot_id=BOT_ID,
                 data={"pnl": "1.10"})  # fmt: skip


def channel() -> Channel:
    """A telephone that is silent at night."""
    return Channel(
        id="ch000001", name="Phone éÉ", kind=ChannelKind.SMS, settings={"to": "+4915112345678"},
        sealed={"auth_token": "Y2lwaGVy"}, kinds=(AlertKind.STOP_HIT, AlertKind.SUMMARY_6H),
        bots=(BOT_ID,), quiet=QuietHours(start=time(22), end=time(7, 30), zone="Europe/Berlin"),
        segment_price=D("0.0079"), created_at=START, updated_at=START,
    )  # fmt: skip


def delivery() -> Delivery:
    """One that waits."""
    return Delivery(
        id="al000001:ch000001", alert_id="al000001", channel_id="ch000001", channel_name="Phone",
        channel_kind=ChannelKind.SMS, kind=AlertKind.POSITION_CLOSED, level=Level.INFO,
        bot_id=BOT_ID, title="First: position closed", text="Sold ½", created_at=START,
        due_at=START, changed_at=START,
    )  # fmt: skip


def price_alert() -> PriceAlert:
    """One that waits for its price."""
    return PriceAlert(id="pa000001", market="simulated", symbol="BTC/USDT", price=D("100.10"),
                      direction=CrossDirection.ABOVE, note="out", created_at=START)  # fmt: skip


def news_item() -> NewsItem:
    """A piece of news with a sentiment."""
    return NewsItem(id="n1", source="finnhub", symbol="BTC", published_at=START, title="Up ☂",
                    summary="It went up.", url="https://news.example/1", sentiment=0.25,
                    fetched_at=START)  # fmt: skip


def token() -> ApiToken:
    """A token that never ends."""
    return ApiToken(id="tk000001", name="Phone", digest="ef56", scopes=(Scope.READ, Scope.TRADE),
                    rate_per_minute=60, created_at=START)  # fmt: skip


def pushed_price() -> PushedPrice:
    """A pair with all its rules."""
    facts = SymbolFacts(digits=5, point=D("0.00001"), contract_size=D(100_000), lot_min=D("0.01"),
                        lot_step=D("0.01"), lot_max=D(50), base="EUR", profit="USD")  # fmt: skip
    return PushedPrice(id="1\nEURUSD", account="1", symbol="EURUSD", timeframes=("15m",),
                       bid=D("1.10001"), ask=D("1.10003"), sent_at=START, received_at=START,
                       digits=5, facts=facts, indicators={"rsi_14": 51.5})  # fmt: skip


def pushed_bar() -> PushedBar:
    """A bar of it."""
    return PushedBar(id="1\nEURUSD\n15m\n2026", account="1", symbol="EURUSD", timeframe="15m",
                     time=START, open=D("1.1"), high=D("1.2"), low=D("1.05"), close=D("1.15"),
                     volume=D(120))  # fmt: skip


def terminal() -> Terminal:
    """A demo account with a position."""
    state = TerminalState(currency="USD", balance=D(100), equity=D("99.5"), margin=D(1),
                          margin_free=D("98.5"), is_demo=True, is_hedging=True,
                          may_trade=True)  # fmt: skip
    held = HeldPosition(ticket="7", symbol="EURUSD", side=Side.BUY, lots=D("0.01"), price=D("1.1"),
                        magic="5", time=START)  # fmt: skip
    return Terminal(account="1", server="Demo", source="metatrader-ea", seen_at=START, state=state,
                    positions=(held,), state_at=START, magic=str(2**63 - 1))  # fmt: skip


def box_order() -> BoxOrder:
    """An order that was given out."""
    return BoxOrder(id="qd-1-e", account="1", magic="5", account_id="test:a", client_id="qd-1-e",
                    comment="Q1", symbol="EURUSD", side=Side.BUY, type=OrderType.LIMIT,
                    lots=D("0.02"), contract=D(100_000), price=D("1.05"), valid_until=START,
                    created_at=START, touched_at=START, offered_at=START)  # fmt: skip


# By repository: an entity, and what is changed on it.
SAMPLES: dict[str, tuple[BaseModel, dict[str, Any]]] = {
    "bots": (rich_bot(), {"state": BotState.FAULTED, "reason": "no ☂", "win_count": 2}),
    "configurations": (configuration(), {"params": {"period": 21}}),
    "orders": (order(), {"state": OrderState.FILLED, "filled": D("0.5"), "price": None}),
    "fills": (fill(1), {"fee": D("0.000000000000000001")}),
    "positions": (position(), {"is_open": False, "stop_price": D("98.01"), "closed_at": START}),
    "entries": (entry(), {"quantity": D("2.5")}),
    "trades": (trade(), {"pnl": D("123456789012345678901234567890.123456789")}),
    "decisions": (decision(), {"action": Action.ENTER_LONG, "trace": ()}),
    "equity": (equity(), {"bot_id": None}),
    "events": (event(), {"bot_id": None, "level": Level.ERROR, "data": {"nested": [{"a": 1}]}}),
    "audit": (audit(), {"detail": {}}),
    "backtests": (
        backtest(),
        {
            "state": RunState.DONE,
            "stage": RunStage.SAVING,
            "quote": "USDT",
            "metrics": {"sharpe": 1.25, "omega": None},
            "trade_count": 3,
            "finished_at": START,
        },
    ),
    "studies": (
        study(),
        {"state": StudyState.DONE, "finished_at": START,
         "summary": StudySummary(best={"period": 7.5}, luck=Luck(trials=3, pbo=0.25))},
    ),
    "venue_accounts": (
        account(),
        {"name": "Main éÉ", "is_enabled": False, "tested_at": START, "expires_at": START,
         "inspection": Inspection(
             checks=(AccountCheck(name="Clock", grade=Grade.FAILED, detail="5 s", advice="set"),),
             balances={"USDT": D("0.10")}, can_withdraw=True, clock_skew_s=5.0)},
    ),
    "secrets": (secret(), {"sealed": "bm90aGluZw=="}),
    "signals": (
        signal(),
        {"state": SignalState.ACTED, "order": None, "order_ids": (), "copies": 4},
    ),
    "listeners": (listener(), {"key_digest": "ee", "last_signal_at": None, "missed_since": START}),
    "advice": (
        advice(),
        {"decision": None, "outcome_due_at": None,
         "outcome": AdviceOutcome(move=-0.01, is_right=False, value=D("-1.10"))},
    ),
    "news": (news_item(), {"sentiment": None, "title": "Down"}),
    "tokens": (token(), {"name": "Tablet", "last_used_at": START, "revoked_at": START}),
    "alerts": (alert(), {"state": AlertState.ROUTED, "text": "Sold"}),
    "channels": (
        channel(),
        {"name": "Mail", "quiet": None, "kinds": (), "segment_price": None, "escalate_to": "x"},
    ),
    "deliveries": (
        delivery(),
        {"state": DeliveryState.SENT, "attempts": 2, "sent_at": START, "provider_id": "SM1",
         "segments": 2, "cost": D("0.0158"), "is_escalated": True},
    ),
    "price_alerts": (price_alert(), {"fired_at": START, "fired_price": D("101.10")}),
    "pushed_prices": (pushed_price(), {"facts": None, "indicators": {}, "received": 2}),
    "pushed_bars": (pushed_bar(), {"close": D("1.16"), "changes": 1}),
    "terminals": (terminal(), {"state": None, "positions": (), "magic": None}),
    "box_orders": (
        box_order(),
        {"end": "filled", "order": "9", "price": None, "is_reported": True,
         "deals": (Deal(ticket="3", lots=D("0.02"), price=D("1.05"), time=START),)},
    ),
    "retunes": (retune(), {"wins": {}, "next_at": None, "outcome": "kept"}),
}  # fmt: skip
