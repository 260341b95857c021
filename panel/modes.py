"""Whose money is moved, in words and as a badge: the same everywhere, and LIVE beyond mistake."""

from html import escape

LIVE = "live"
MODES = {
    "paper": "Paper money only: orders are filled by the engine itself",
    "test": "Test money of a venue's test network: orders leave this machine",
    LIVE: "Real money: orders are filled at the venue",
}
MONEY = {"paper": "paper money", "test": "test money", LIVE: "real money"}


def mode_html(mode: str) -> str:
    """The badge of a mode, its meaning as the hint."""
    look = f"qd-mode qd-mode-{mode}" if mode in MODES else "qd-mode"
    hint = escape(MODES.get(mode, mode))
    return f'<span class="{look}" title="{hint}">{escape(mode.upper())}</span>'


def money_words(mode: str) -> str:
    """A mode within a sentence: ``real money``."""
    return MONEY.get(mode, f"{mode} money")
