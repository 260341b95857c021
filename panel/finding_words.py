"""Findings in words: what was found, and what each decision about it does."""

from collections.abc import Mapping

from engine.contracts import AccountHealth, Finding, FindingKind, FindingState, Resolution

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
"""Kinds that a bot of the same symbol adopts."""

EFFECTS: Mapping[tuple[FindingKind, Resolution], str] = {
    (FindingKind.BALANCE, Resolution.ADOPT): (
        "The venue is right: the difference is written into the books as an adjustment. It belongs"
        " to no bot."
    ),
    (FindingKind.BALANCE, Resolution.IGNORE): (
        "The difference stays and is not asked about again until it changes. Entries go on."
    ),
    (FindingKind.SHORTFALL, Resolution.ADOPT): (
        "The venue is right: the bots' positions are made smaller, to what is really there."
    ),
    (FindingKind.SHORTFALL, Resolution.IGNORE): (
        "The positions stay as they are in the books. Their exits can sell only what is there."
    ),
    (FindingKind.SHORTFALL, Resolution.CLOSE): (
        "The bots' positions are closed: what is really there is sold at the market."
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
        "The trade is written into the books as nobody's. What it bought stays on the account."
    ),
    (FindingKind.FOREIGN_TRADE, Resolution.CLOSE): (
        "The trade is written down as nobody's and undone at the market price, now."
    ),
    (FindingKind.UNKNOWN_ORDER, Resolution.IGNORE): (
        "The order counts as never arrived. Should it fill after all, the fill is booked."
    ),
    (FindingKind.UNKNOWN_ORDER, Resolution.CLOSE): (
        "The order is cancelled at the venue, should it be there, and ended in the books."
    ),
    (FindingKind.LATE_FILL, Resolution.ADOPT): (
        "The fill stays where it was booked: with the bot that placed the order."
    ),
    (FindingKind.LATE_FILL, Resolution.IGNORE): "The fill is booked already; nothing more is done.",
    (FindingKind.LATE_FILL, Resolution.CLOSE): (
        "What the fill changed is closed at the market price, now."
    ),
    (FindingKind.UNREADABLE, Resolution.IGNORE): (
        "Entries go on although a part of the venue's answer was not understood."
    ),
}
"""What a decision does; a pair that is not here is not offered."""


def choices(finding: Finding) -> dict[Resolution, str]:
    """The decisions that can be made about a finding, each with what it does."""
    found = {way: EFFECTS.get((finding.kind, way), "") for way in DECISIONS}
    return {way: effect for way, effect in found.items() if effect}
