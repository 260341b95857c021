"""Controls in words: what each level does, what a control is on, whether it touches a bot. Pure."""

from collections.abc import Iterable, Mapping

from engine.contracts import BotView, KillLevel, KillSwitch, ScopeKind
from panel.format import moment

LEVELS: Mapping[KillLevel, tuple[str, str]] = {
    KillLevel.PAUSE_ENTRIES: (
        "Pause entries",
        "No bot opens anything new; by hand you still can. Stops and targets stay watched.",
    ),
    KillLevel.REDUCE_ONLY: (
        "Reduce only",
        "Nobody opens anything new, by hand neither. Positions can only become smaller.",
    ),
    KillLevel.CANCEL_ORDERS: (
        "Reduce only and cancel entries",
        "Also takes back every entry that works at a venue. Positions stay, their exits watched.",
    ),
    KillLevel.CLOSE_ALL: (
        "Close everything",
        "Also closes every position at the market price, now.",
    ),
}
SCOPES: Mapping[ScopeKind, str] = {
    ScopeKind.EVERYTHING: "Everything",
    ScopeKind.ACCOUNT: "Account",
    ScopeKind.BOT: "Bot",
    ScopeKind.SYMBOL: "Symbol",
}
COLOURS: Mapping[KillLevel, str] = {
    KillLevel.PAUSE_ENTRIES: "orange", KillLevel.REDUCE_ONLY: "orange",
    KillLevel.CANCEL_ORDERS: "red", KillLevel.CLOSE_ALL: "red",
}  # fmt: skip
BREAKER = "breaker"
"""Who sets a control when orders storm."""


def is_breaker(control: KillSwitch) -> bool:
    """Whether the gateway's breaker set it, and no person."""
    return control.actor == BREAKER


def in_force(controls: Iterable[KillSwitch]) -> list[KillSwitch]:
    """Those that forbid anything, the strongest first."""
    found = [one for one in controls if one.level is not KillLevel.NONE]
    return sorted(found, key=lambda one: -one.level.strength)


def touches(control: KillSwitch, bot: BotView) -> bool:
    """Whether a control concerns a bot."""
    mine = {
        ScopeKind.EVERYTHING: control.key,
        ScopeKind.ACCOUNT: bot.account_id,
        ScopeKind.BOT: bot.id,
        ScopeKind.SYMBOL: bot.config.symbol.upper(),
    }
    return control.key == mine[control.scope]


def scope_words(control: KillSwitch, names: Mapping[str, str]) -> str:
    """What a control is on; ``names`` are the bots' by id."""
    if control.scope is ScopeKind.EVERYTHING:
        return "everything"
    key = names.get(control.key, control.key) if control.scope is ScopeKind.BOT else control.key
    return f"{SCOPES[control.scope].lower()} {key}"


def origin_words(control: KillSwitch) -> str:
    """Who set it, when and why: ``by panel since 2026-11-25 20:00:00 UTC: maintenance``."""
    by = f" by {control.actor}" if control.actor else ""
    since = f" since {moment(control.since)} UTC" if control.since else ""
    why = f": {control.reason}" if control.reason else ""
    return f"{by}{since}{why}".strip()
