"""Sums in the base currency in words: how old, and what is not in them."""

from collections.abc import Sequence

from engine.contracts.conversion import BaseWorth, LeftOut
from panel.format import clock, escape, money

MOST_NAMED = 5


def worth_words(worth: BaseWorth) -> str:
    """An account's worth in one line of markdown, with all that is to be said of it."""
    if worth.value is None:
        return f"Worth in {worth.currency} not known: {_left_out(worth.left_out)}."
    return " ".join([f"Worth {escape(money(worth.value, worth.currency))}.", *notes(worth)])


def notes(worth: BaseWorth) -> list[str]:
    """What a figure in the base currency is made with, and what it is without."""
    found = []
    if worth.as_of is not None:
        found.append(f"Rates as of {escape(clock(worth.as_of))} UTC.")
    if worth.left_out:
        found.append(f"Without {_left_out(worth.left_out)}.")
    if worth.stale:
        found.append(f":orange[Old rates: {_named(worth.stale)}.]")
    if worth.declared:
        found.append(f"{escape('; '.join(worth.declared))} (a setting, no market's price).")
    if worth.simulated:
        found.append(f"By simulated prices: {_named(worth.simulated)}.")
    return found


def _left_out(left_out: Sequence[LeftOut]) -> str:
    """Amounts and their assets: ``0.3 XYZ: no rate``."""
    shown = ", ".join(escape(money(one.amount, one.asset)) for one in left_out[:MOST_NAMED])
    more = len(left_out) - MOST_NAMED
    return f"{shown}{f' and {more} more assets' if more > 0 else ''}: no rate"


def _named(assets: Sequence[str]) -> str:
    shown = ", ".join(escape(asset) for asset in assets[:MOST_NAMED])
    more = len(assets) - MOST_NAMED
    return f"{shown}{f' and {more} more' if more > 0 else ''}"
