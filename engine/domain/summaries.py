"""Summaries in words: what matters in the first line of an SMS, the rest below it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.domain.amount_words import percent, shown, signed
from engine.domain.bots import BotState
from engine.domain.money import ZERO
from engine.domain.periods import Period, PeriodKind

FIRST_LINE = 140
"""With the time and the title before it, a first line fits into one SMS."""

ROOM: Mapping[PeriodKind, int] = {
    PeriodKind.QUARTER: 280, PeriodKind.DAY: 1_200, PeriodKind.WEEK: 1_200,
}  # fmt: skip
"""Letters: the 6-hour summary fits into an SMS of two segments."""

MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Money:
    """What happened in one asset. ``equity`` is that at the end, ``change`` what was earned of it,
    ``realised`` and ``fees`` are of the trades that were closed."""

    quote: str
    equity: Decimal
    change: Decimal
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    won: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """One that is held as the summary is written; ``pnl`` None: no price is known yet."""

    bot: str
    symbol: str
    quote: str
    pnl: Decimal | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a summary tells. ``errors`` and ``warnings`` count the alerts of the period."""

    period: Period
    money: Sequence[Money]
    open: Sequence[OpenPosition]
    states: Mapping[BotState, int]
    errors: int
    warnings: int
    is_late: bool


def summary_text(facts: Facts) -> str:
    """One line for whoever reads no more, then as many as there is room for."""
    text = _first_line(facts)
    room = ROOM[facts.period.kind]
    for line in (*(_money_line(one) for one in facts.money), _trouble_line(facts)):
        if len(text) + len(line) < room:
            text += f"\n{line}"
    return text + _positions(facts.open, room - len(text))


def _first_line(facts: Facts) -> str:
    late = ", late" if facts.is_late else ""
    line = f"{facts.period.words}{late}: "
    if not facts.states:
        return f"{line}no bots run; there are none."
    bots = _bots(facts.states)
    for one in facts.money:
        words = f"{shown(one.equity)} {one.quote}, {signed(one.change)} ({_part(one)}); "
        if len(line) + len(words) + len(bots) > FIRST_LINE:
            break
        line += words
    return line + bots


def _part(one: Money) -> str:
    before = one.equity - one.change
    return percent(one.change / before) if before > 0 else "0%"


def _bots(states: Mapping[BotState, int]) -> str:
    count = sum(states.values())
    running = states.get(BotState.RUNNING, 0)
    words = f"{running} of {count} bots run" if running else f"no bots run of {count}"
    for state in (BotState.FAULTED, BotState.SLEEPING, BotState.PAUSED):
        if states.get(state):
            words += f", {states[state]} {state.value}"
    return words


def _money_line(one: Money) -> str:
    """Of the trades that were closed."""
    if not one.won + one.lost:
        return f"{one.quote}: no trade closed."
    return (
        f"{one.quote}: {one.won} won, {one.lost} lost, realised {signed(one.realised)}, fees"
        f" {shown(one.fees)}."
    )


def _trouble_line(facts: Facts) -> str:
    if not facts.errors + facts.warnings:
        return "No trouble."
    return f"Alerts: errors {facts.errors}, warnings {facts.warnings}."


def _positions(positions: Sequence[OpenPosition], room: int) -> str:
    """A line of the positions that have moved most; empty where there is no room for it."""
    if not positions:
        return "\nNothing is open." if room > len("\nNothing is open.") else ""
    ordered = sorted(positions, key=lambda one: (-abs(one.pnl or ZERO), one.bot))
    line, named = f"\n{len(positions)} open:", 0
    for one in ordered[:MOST_NAMED]:
        pnl = "?" if one.pnl is None else signed(one.pnl)
        words = f"{',' if named else ''} {one.bot} {one.symbol} {pnl}"
        more = f" and {len(positions) - named - 1} more"
        if len(line) + len(words) + len(more) > room:
            break
        line, named = line + words, named + 1
    left = len(positions) - named
    line += "" if not left else f" and {left} more" if named else f" {_sums(positions)}"
    return line if len(line) <= room else ""


def _sums(positions: Sequence[OpenPosition]) -> str:
    """What all are worth, by asset."""
    sums: dict[str, Decimal] = {}
    for one in positions:
        sums[one.quote] = sums.get(one.quote, ZERO) + (one.pnl or ZERO)
    return ", ".join(f"{signed(amount)} {quote}" for quote, amount in sorted(sums.items()))
