"""Findings in words: what was found, and what each decision about it does."""

from collections.abc import Iterable, Mapping

from engine.contracts import (
    AccountBot,
    AccountHealth,
    Finding,
    FindingKind,
    FindingState,
    Resolution,
)

KINDS: Mapping[FindingKind, str] = {
    FindingKind.BALANCE: "Balance differs",
    FindingKind.SHORTFALL: "Less held than bots own",
    FindingKind.FOREIGN_ORDER: "Order of nobody's",
    FindingKind.FOREIGN_TRADE: "Trade of nobody's",
    FindingKind.UNKNOWN_ORDER: "Order's fate unknown",
    FindingKind.LATE_FILL: "Fill of a finished order",
    FindingKind.UNREADABLE: "Answer not understood",
}

DECISIONS: Mapping[Resolution, str] = {
    Resolution.ADOPT: "Adopt",
    Resolution.IGNORE: "Ignore",
    Resolution.CLOSE: "Close",
}

OUTCOMES: Mapping[FindingState, str] = {
    FindingState.OPEN: "open",
    FindingState.ADOPTED: "adopted",
    FindingState.IGNORED: "ignored",
    FindingState.CLOSED: "closed",
    FindingState.CLEARED: "went away by itself",
}

HEALTH: Mapping[AccountHealth, tuple[str, str]] = {
    AccountHealth.CLEAN: ("books and venue agree", "green"),
    AccountHealth.MISMATCH: ("does not agree", "red"),
    AccountHealth.UNREACHABLE: ("venue does not answer", "orange"),
    AccountHealth.DENIED: ("key refused", "red"),
    AccountHealth.UNCHECKED: ("never checked", "gray"),
}
"""An account's health in words, and its colour."""

NEEDS_BOT = frozenset({FindingKind.FOREIGN_ORDER, FindingKind.FOREIGN_TRADE})
"""Kinds that a bot adopts."""

EFFECTS: Mapping[tuple[FindingKind, Resolution], str] = {
    (FindingKind.BALANCE, Resolution.ADOPT): (
        "The venue is right: the difference is written into the books. It belongs to no bot."
    ),
    (FindingKind.SHORTFALL, Resolution.ADOPT): (
        "The venue is right: what is not there is taken off the bot's position, at the last price."
    ),
    (FindingKind.FOREIGN_ORDER, Resolution.ADOPT): (
        "The order becomes the chosen bot's: what it fills changes that bot's position."
    ),
    (FindingKind.FOREIGN_ORDER, Resolution.IGNORE): (
        "The order keeps working at the venue. What it fills is written down as nobody's."
    ),
    (FindingKind.FOREIGN_ORDER, Resolution.CLOSE): (
        "The order is cancelled at the venue. What it has filled before stays."
    ),
    (FindingKind.FOREIGN_TRADE, Resolution.ADOPT): (
        "The trade becomes the chosen bot's: it opens, adds to or reduces that bot's position,"
        " which the bot then watches."
    ),
    (FindingKind.FOREIGN_TRADE, Resolution.IGNORE): (
        "The trade stays in the books as nobody's. What it bought stays on the account."
    ),
    (FindingKind.FOREIGN_TRADE, Resolution.CLOSE): (
        "The trade stays nobody's and is undone at the market price, now."
    ),
    (FindingKind.UNKNOWN_ORDER, Resolution.CLOSE): (
        "The venue is asked once more. Only when it does not know the order is it let go."
    ),
    (FindingKind.LATE_FILL, Resolution.ADOPT): (
        "The fill stays where it was booked: with the bot that placed the order."
    ),
    (FindingKind.LATE_FILL, Resolution.IGNORE): "Seen. The fill is booked; nothing more is done.",
    (FindingKind.UNREADABLE, Resolution.IGNORE): (
        "Entries go on although a part of the venue's answer was not understood."
    ),
}
"""What a decision does; a pair that is not here is not offered."""


def choices(finding: Finding) -> dict[Resolution, str]:
    """The decisions that can be made about a finding, each with what it does."""
    found = {way: EFFECTS.get((finding.kind, way), "") for way in DECISIONS}
    return {way: effect for way, effect in found.items() if effect}


def needs_bot(finding: Finding) -> bool:
    """Whether adopting it must name a bot."""
    is_shared = finding.kind is FindingKind.SHORTFALL and not finding.bot_id
    return finding.kind in NEEDS_BOT or is_shared


def adopters(finding: Finding, bots: Iterable[AccountBot]) -> list[AccountBot]:
    """The bots that could adopt it: those of its symbol, or, of an asset, those that trade it."""
    if finding.symbol:
        return [bot for bot in bots if bot.symbol == finding.symbol]
    return [bot for bot in bots if bot.symbol.partition("/")[0] == finding.subject]
