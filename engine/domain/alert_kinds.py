"""Which events are alerts: one table, with the words of the matrix beside it."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.domain.alerts import AlertKind
from engine.domain.records import Event

K = AlertKind


@dataclass(frozen=True)
class KindWords:
    """A row of the matrix."""

    title: str
    group: str
    help: str


WORDS: Mapping[AlertKind, KindWords] = {
    K.BOT_STARTED: KindWords("Bot started", "Bots", "it runs from now on"),
    K.BOT_STOPPED: KindWords("Bot stopped or paused", "Bots", "also at a replay's end"),
    K.BOT_FAULTED: KindWords("Bot faulted", "Bots", "it trades no more until somebody looks"),
    K.BOT_SLEEPING: KindWords("Bot sleeps or wakes", "Bots", "by its market's hours or its own"),
    K.POSITION_OPENED: KindWords("Position opened", "Trading", "with size, price and stop"),
    K.POSITION_CLOSED: KindWords("Position closed", "Trading", "otherwise, with its profit"),
    K.STOP_HIT: KindWords("Stop hit", "Trading", "closed by it, with its loss"),
    K.TARGET_HIT: KindWords("Target hit", "Trading", "closed by it, with its profit"),
    K.ORDER_REJECTED: KindWords("Order rejected", "Trading", "by the venue or by our own limits"),
    K.ORDER_UNKNOWN: KindWords("Order unknown", "Trading", "sent, and its fate is not known"),
    K.UNPROTECTED: KindWords("Stop not placed", "Risk", "a position has no stop at its venue"),
    K.DAILY_LOSS: KindWords("Daily loss", "Risk", "a bot or all lost more than was set"),
    K.DRAWDOWN: KindWords("Drawdown", "Risk", "too far below the highest equity"),
    K.CONTROL: KindWords("Kill switch, pauses", "Risk", "set, released, or tripped by a breaker"),
    K.MISMATCH: KindWords("Reconciliation mismatch", "Risk", "books and venue differ, or no more"),
    K.ACCOUNT_TROUBLE: KindWords("Account trouble", "Risk", "refused, not reached, a login ended"),
    K.SIGNAL_MISSING: KindWords("Signal missing", "Signals", "an expected one is late, or back"),
    K.AI_UNAVAILABLE: KindWords("Model unavailable", "Signals", "no answer, or its budget is used"),
    K.ENGINE_STARTED: KindWords("Engine started", "Engine", "also after it died"),
    K.ENGINE_DOWN: KindWords("Engine down", "Engine", "told by the watcher, a process of its own"),
    K.LOGIN_FAILURES: KindWords("Login failures", "Engine", "somebody tries wrong tokens"),
    K.BACKUP_FAILED: KindWords("Backup failed", "Engine", "there is no new backup"),
    K.CHANNEL_FAILED: KindWords("Channel failed", "Engine", "alerts do not get through it"),
    K.PRICE: KindWords("Price alert", "Messages", "one of those set below"),
    K.MANUAL: KindWords("Message", "Messages", "sent by a person or another program"),
    K.SUMMARY_6H: KindWords("6-hour summary", "Summaries", "equity, profit, positions, trouble"),
    K.SUMMARY_DAILY: KindWords("Daily summary", "Summaries", "of the day before"),
    K.SUMMARY_WEEKLY: KindWords("Weekly summary", "Summaries", "of the week before, on Mondays"),
}  # fmt: skip

BY_EVENT: Mapping[str, AlertKind] = {
    "bot.running": K.BOT_STARTED,
    "bot.paused": K.BOT_STOPPED,
    "bot.stopped": K.BOT_STOPPED,
    "bot.faulted": K.BOT_FAULTED,
    "bot.sleeping": K.BOT_SLEEPING,
    "position.opened": K.POSITION_OPENED,
    "position.closed": K.POSITION_CLOSED,
    "order.rejected": K.ORDER_REJECTED,
    "order.limit": K.ORDER_REJECTED,
    "order.insufficient_funds": K.ORDER_REJECTED,
    "order.unknown": K.ORDER_UNKNOWN,
    "order.late_fill": K.ORDER_UNKNOWN,
    "position.unprotected": K.UNPROTECTED,
    "alert.daily_loss": K.DAILY_LOSS,
    "alert.drawdown": K.DRAWDOWN,
    "kill_switch": K.CONTROL,
    "control": K.CONTROL,
    "reconcile.mismatch": K.MISMATCH,
    "order.excess": K.MISMATCH,
    "reconcile.clean": K.MISMATCH,
    "reconcile.denied": K.ACCOUNT_TROUBLE,
    "reconcile.unreachable": K.ACCOUNT_TROUBLE,
    "account.denied": K.ACCOUNT_TROUBLE,
    "account.disabled": K.ACCOUNT_TROUBLE,
    "account.expired": K.ACCOUNT_TROUBLE,
    "signal.missing": K.SIGNAL_MISSING,
    "deadman.failed": K.CHANNEL_FAILED,
    "signal.back": K.SIGNAL_MISSING,
    "ai.unavailable": K.AI_UNAVAILABLE,
    "ai.over_budget": K.AI_UNAVAILABLE,
    "ai.invalid": K.AI_UNAVAILABLE,
    "engine.started": K.ENGINE_STARTED,
    "engine.down": K.ENGINE_DOWN,
    "api.login_failures": K.LOGIN_FAILURES,
    "telegram.stranger": K.LOGIN_FAILURES,
    "telegram.trouble": K.CHANNEL_FAILED,
    "backup.failed": K.BACKUP_FAILED,
    "channel.failed": K.CHANNEL_FAILED,
    "alert.price": K.PRICE,
    "alert.manual": K.MANUAL,
    "alert.summary_6h": K.SUMMARY_6H,
    "alert.summary_daily": K.SUMMARY_DAILY,
    "alert.summary_weekly": K.SUMMARY_WEEKLY,
}
"""By the kind of an event; those that are not here are no alerts."""

BY_FACT: Mapping[str, tuple[str, Mapping[str, AlertKind | None]]] = {
    "position.closed": ("reason", {
        "stop_loss": K.STOP_HIT, "trailing_stop": K.STOP_HIT,
        "take_profit": K.TARGET_HIT, "roi": K.TARGET_HIT,
    }),
    # A bot that goes on after a start of the engine was not started: the engine was.
    "bot.running": ("before", {"running": None, "sleeping": K.BOT_SLEEPING}),
    "bot.sleeping": ("before", {"sleeping": None}),
    "bot.paused": ("before", {"paused": None}),
    # The first check of an account finds what it should.
    "reconcile.clean": ("before", {
        "unchecked": None, "unreachable": K.ACCOUNT_TROUBLE, "denied": K.ACCOUNT_TROUBLE,
    }),
}  # fmt: skip
"""Where one of the event's facts says that it is another kind of alert, or (None) no alert."""


def alert_kind(event: Event) -> AlertKind | None:
    """What alert an event is, or None."""
    kind = BY_EVENT.get(event.kind)
    fact, others = BY_FACT.get(event.kind, ("", {}))
    return others.get(event.data.get(fact, ""), kind)


def title_of(kind: AlertKind, bot_name: str) -> str:
    """The first line of an alert."""
    words = WORDS[kind].title
    return f"{bot_name}: {words[:1].lower()}{words[1:]}" if bot_name else words
