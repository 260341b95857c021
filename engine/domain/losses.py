"""Losses worth telling: what a day has cost, and how far profit is below its best.

Profits are compared, not equities: what is put in or taken out is neither profit nor loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from engine.domain.amount_words import percent, shown
from engine.domain.money import ZERO

REARMED_BELOW = Decimal("0.5")
"""A drawdown is over once it is less than this part of what was set."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody owns, and has earned since it began; in quote."""

    equity: Decimal
    profit: Decimal


@dataclass(frozen=True, slots=True)
class LossRules:
    """Fractions that are told when they are reached; None: never."""

    daily_loss: Decimal | None
    drawdown: Decimal | None


class LossTrack(BaseModel):
    """What is remembered of a bot, or of all together. ``profit`` is the last that was seen,
    ``told_steps`` how many times the set drawdown was told in this episode."""

    model_config = ConfigDict(frozen=True)

    quote: str
    profit: Decimal
    day: date
    day_equity: Decimal
    day_profit: Decimal
    is_day_told: bool = False
    best_profit: Decimal
    told_steps: int = 0


class LossKind(StrEnum):
    """What is told of."""

    DAILY = "daily_loss"
    DRAWDOWN = "drawdown"


@dataclass(frozen=True, slots=True)
class Loss:
    """One loss to tell. ``fraction`` is of ``base``, the equity at midnight or at the best."""

    kind: LossKind
    amount: Decimal
    fraction: Decimal
    base: Decimal
    limit: Decimal

    def words(self, who: str, quote: str) -> str:
        """As in: Lost 45.2 USDT since midnight, 4.52% of 1,000 (set: 3%)."""
        amount, base = f"{shown(self.amount)} {quote}", shown(self.base)
        part = percent(self.fraction, is_signed=False)
        limit = percent(self.limit, is_signed=False)
        begins = f"{who} lost" if who else "Lost"
        if self.kind is LossKind.DAILY:
            return f"{begins} {amount} since midnight, {part} of {base} (set: {limit})."
        begins = f"{who} are" if who else "It is"
        return f"{begins} {amount} below the best, {part} of {base} (set: {limit})."


def begun(quote: str, day: date, midnight: Standing) -> LossTrack:
    """A track of somebody who is seen for the first time."""
    return LossTrack(quote=quote, profit=midnight.profit, day=day, day_equity=midnight.equity,
                     day_profit=midnight.profit, best_profit=midnight.profit)  # fmt: skip


def next_day(track: LossTrack, day: date, midnight: Standing) -> LossTrack:
    """The track as another day begins."""
    return track.model_copy(
        update={
            "day": day, "day_equity": midnight.equity, "day_profit": midnight.profit,
            "is_day_told": False,
        }
    )  # fmt: skip


def summed(known: LossTrack | None, parts: Sequence[LossTrack], change: Decimal) -> LossTrack:
    """The track of all together from those of its ``parts`` (at least one, all of one day and
    asset). ``change`` is the profit that came with new parts and went with old ones since
    ``known``: the best moves with it, so that nobody's coming or going is a profit or a loss."""
    first = parts[0]
    equity = sum((one.day_equity for one in parts), ZERO)
    profit = sum((one.day_profit for one in parts), ZERO)
    if known is None:
        return begun(first.quote, first.day, Standing(equity, profit))
    if known.day != first.day:
        return next_day(known, first.day, Standing(equity, profit)).model_copy(
            update={"best_profit": known.best_profit + change}
        )
    update = {"day_equity": equity, "day_profit": profit,
              "best_profit": known.best_profit + change}  # fmt: skip
    return known.model_copy(update=update)


def judge(track: LossTrack, now: Standing, rules: LossRules) -> tuple[LossTrack, list[Loss]]:
    """The track after ``now``, and what is to be told: a daily loss once a day; a drawdown when
    what was set is reached, again at each multiple of it, and anew once it was nearly made good."""
    losses: list[Loss] = []
    track = track.model_copy(update={"profit": now.profit})
    daily = _daily(track, now, rules.daily_loss)
    if daily is not None and not track.is_day_told:
        losses.append(daily)
        track = track.model_copy(update={"is_day_told": True})
    if now.profit > track.best_profit:
        track = track.model_copy(update={"best_profit": now.profit})
    if rules.drawdown is None:
        return track, losses
    below = track.best_profit - now.profit
    best = now.equity + below
    fraction = below / best if best > 0 else ZERO
    steps = int(fraction / rules.drawdown)
    if steps > track.told_steps:
        losses.append(Loss(LossKind.DRAWDOWN, below, fraction, best, rules.drawdown))
        track = track.model_copy(update={"told_steps": steps})
    elif track.told_steps and fraction < rules.drawdown * REARMED_BELOW:
        track = track.model_copy(update={"told_steps": 0})
    return track, losses


def _daily(track: LossTrack, now: Standing, limit: Decimal | None) -> Loss | None:
    """Today's loss where it reaches the limit."""
    lost = track.day_profit - now.profit
    if limit is None or lost <= 0 or track.day_equity <= 0:
        return None
    fraction = lost / track.day_equity
    if fraction < limit:
        return None
    return Loss(LossKind.DAILY, lost, fraction, track.day_equity, limit)
