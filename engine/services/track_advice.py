"""Outcomes of advice: once a horizon is over, which way the price went and what it was worth.

Nothing is guessed: candles that are missing are asked for again a few times, and then the outcome
says so. The value of an entry that was let through is its trade's, known once that is closed.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from engine.domain.advice import Advice, AdviceOutcome
from engine.domain.advice_outcomes import (
    BARS_BEFORE,
    MOST_BARS,
    Judged,
    Window,
    bars_for,
    held_back_share,
    judge_move,
    quiet_band,
    window_of,
    would_have_made,
)
from engine.domain.bots import Bot
from engine.domain.money import ZERO, text
from engine.domain.positions import PositionSide
from engine.domain.sessions import ALWAYS_OPEN, Timetable
from engine.domain.sizing import BPS
from engine.domain.timeframes import timeframe_delta
from engine.errors import QuarterdeckError, StoreError
from engine.ports import MarketData, NotAfter, Venues
from engine.services.advice_trades import Found, TradeFinder
from engine.services.books import Books
from engine.services.candle_feed import is_sparse
from engine.services.lanes import Lanes

log = logging.getLogger("quarterdeck.advice")

AT_ONCE = 50
"""Outcomes of a market in one go; the others follow at the next."""

RETRIES = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
"""After which candles that are missing are asked for again."""

LONGEST_WAIT = timedelta(hours=1)
"""How long a trade that is open is left alone before it is looked at again."""

CANDLES_AFTER = 5
UNTIL, TRIES = "outcome_until", "outcome_tries"
"""Facts of an advice: when its horizon was over, and how often its candles were missing."""

Hours = Callable[[str, str], Timetable]


class AdviceTracker:
    """Writes outcomes; each market on a lane of its own, so that a slow one delays no other."""

    def __init__(
        self,
        books: Books,
        venues: Venues,
        lanes: Lanes,
        hours: Hours = lambda _market_id, _symbol: ALWAYS_OPEN,
    ) -> None:
        self._books = books
        self._venues = venues
        self._lanes = lanes
        self._hours = hours
        self._trades = TradeFinder(books.store)
        self._settling: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin_due(self) -> None:
        """Begin with what has come due; markets that are still busy are passed over."""
        for market_id, due in (await self._lanes.run("advice", self._due)).items():
            if market_id not in self._settling:
                self._settling.add(market_id)
                task = asyncio.create_task(self._settle_market(market_id, due))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def finish(self, timeout_s: float) -> None:
        """Wait for what is under way."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)

    async def _settle_market(self, market_id: str, due: Sequence[str]) -> None:
        try:
            await self._lanes.run(f"outcomes:{market_id}", self._settle_all, due)
        except StoreError as error:
            log.warning("outcomes on %s wait: %s", market_id, error.message)
        finally:
            self._settling.discard(market_id)

    def _due(self) -> Mapping[str, Sequence[str]]:
        """The ids of what has come due, by market, the longest due first."""
        now = self._books.clock.now()
        with self._books.store.reading() as tx:
            rows = tx.advice.values("outcome_due_at", "id", "market", outcome_due_at=NotAfter(now))
        by_market: dict[str, list[str]] = defaultdict(list)
        for _, advice_id, market_id in sorted(rows):
            by_market[market_id].append(advice_id)
        return {market_id: ids[:AT_ONCE] for market_id, ids in by_market.items()}

    # --- on the lane ------------------------------------------------------------------------------

    def _settle_all(self, due: Sequence[str]) -> None:
        for advice_id in due:
            with self._books.store.reading() as tx:
                row = tx.advice.find(advice_id)
            if row is not None and row.outcome_due_at is not None:
                self.settle(row)

    def settle(self, row: Advice) -> None:
        """Write what is known of one advice now, and when to look again if that is not all.
        Raises StoreError."""
        try:
            changes = self._look(row)
        except StoreError:
            raise
        except QuarterdeckError as error:
            changes = self._try_again(row, error.message)
        except Exception as error:  # of this one alone: the others are still written
            log.exception("the outcome of advice %s could not be looked up", row.id)
            changes = self._try_again(row, f"{type(error).__name__}, see the log")
        with self._books.store.transaction() as tx:
            known = tx.advice.find(row.id)
            if known is None:
                return  # deleted meanwhile
            facts = known.facts | changes.pop("facts", {})
            tx.advice.save(known.model_copy(update={**changes, "facts": facts}))

    def _look(self, row: Advice) -> dict[str, Any]:
        """The changes to a row. Raises DataError, NotFound, BrokerError."""
        bot = self._books.bots.get(row.bot_id)
        if row.outcome is not None and row.outcome.move is not None:
            return self._with_trade(row, row.outcome)  # only its trade was open
        market = self._venues.market(row.market, row.bot_id)
        end = _end_of(row)
        window = self._window(row, market, end)
        if window.end_price is None:
            return self._try_again(row, window.detail)
        fee_bps = self._fee_bps(bot, market)
        judged = self._judged(row, window, end, window.end_price, fee_bps or ZERO)
        outcome = AdviceOutcome(move=judged.move, is_right=judged.is_right, detail=judged.detail)
        if held_back_share(row) > 0:
            would_be = self._held_back(row, bot, market, window, window.end_price, fee_bps)
            return _final(outcome.model_copy(update=would_be))
        return self._with_trade(row, outcome)

    def _try_again(self, row: Advice, why: str) -> dict[str, Any]:
        tries = int(row.facts.get(TRIES, 0))
        if tries >= len(RETRIES):
            outcome = row.outcome or AdviceOutcome()
            words = f"its outcome is not known: {why}"
            return _final(outcome.model_copy(update={"detail": words}))
        facts = {TRIES: tries + 1, UNTIL: _end_of(row).isoformat()}
        return {"outcome_due_at": self._books.clock.now() + RETRIES[tries], "facts": facts}

    def _window(self, row: Advice, market: MarketData, end: datetime) -> Window:
        timeframe = bars_for(market.timeframes(), row.timeframe, end - row.asked_at)
        length = timeframe_delta(timeframe)
        before = min(self._books.clock.now(), end + CANDLES_AFTER * length)
        wanted = (before - row.asked_at) // length + BARS_BEFORE + 2
        limit = min(wanted, MOST_BARS + BARS_BEFORE + CANDLES_AFTER + 2)
        candles = market.candles(row.symbol, timeframe, limit=limit, before=before)
        timetable = self._hours(row.market, row.symbol)
        return window_of(
            candles, row.asked_at, end, was_open=timetable.is_open(end),
            may_be_sparse=is_sparse(market, timetable),
        )  # fmt: skip

    def _judged(
        self, row: Advice, window: Window, end: datetime, price: float, fee_bps: Decimal
    ) -> Judged:
        fees = 2 * float(fee_bps / BPS)
        band = quiet_band(window.before, end - row.asked_at, fees)
        return judge_move(row, price, self._held_then(row), band)

    def _held_then(self, row: Advice) -> PositionSide | None:
        """What the bot had when the model was asked."""
        with self._books.store.reading() as tx:
            newest = tx.positions.select(
                bot_id=row.bot_id, until=row.asked_at, is_descending=True, limit=1
            )
        is_held = newest and (newest[0].closed_at is None or newest[0].closed_at >= row.asked_at)
        return newest[0].side if is_held else None

    def _fee_bps(self, bot: Bot | None, market: MarketData) -> Decimal | None:
        """What the bot's account takes; None for a bot that was deleted."""
        if bot is None:
            return None
        account_id = self._venues.account_of(bot.config.market, bot.id)
        return self._venues.broker(account_id, market).capabilities.fee_bps

    # --- value ------------------------------------------------------------------------------------

    def _held_back(
        self,
        row: Advice,
        bot: Bot | None,
        market: MarketData,
        window: Window,
        price: float,
        fee_bps: Decimal | None,
    ) -> dict[str, Any]:
        """What the entry, or the part of it that was held back, would have made."""
        if bot is None or fee_bps is None or row.proposal is None:
            return {"detail": "its bot was deleted: its exits are not known"}
        instrument = market.instrument(row.symbol)
        found = would_have_made(row.proposal, bot.config, instrument, window.after, price, fee_bps)
        if found is None:
            return {"detail": "its amount would have bought nothing"}
        share = held_back_share(row)
        part = "" if share == 1 else f"{share:.0%} of it was held back; "
        return {
            "value": found.value * share,
            "is_hypothetical": True,
            "detail": f"{part}closed at {text(found.exit_price)} by {found.exit_reason}",
        }

    def _with_trade(self, row: Advice, outcome: AdviceOutcome) -> dict[str, Any]:
        """The outcome with what the entry made, once that is known."""
        found = self._trades.find(row)
        if found.is_open:
            length = timeframe_delta(row.timeframe)
            wait = min(max(length, timedelta(minutes=1)), LONGEST_WAIT)
            return {"outcome": outcome, "outcome_due_at": self._books.clock.now() + wait}
        return _final(outcome.model_copy(update=_of_trade(found, outcome)))


def _of_trade(found: Found, outcome: AdviceOutcome) -> dict[str, Any]:
    details = (one for one in (outcome.detail, found.detail) if one)
    return {"value": found.value, "detail": "; ".join(details)}


def _final(outcome: AdviceOutcome) -> dict[str, Any]:
    return {"outcome": outcome, "outcome_due_at": None}


def _end_of(row: Advice) -> datetime:
    """When the horizon was over: as it was first due."""
    if UNTIL in row.facts:
        return datetime.fromisoformat(row.facts[UNTIL])
    if row.outcome_due_at is None:
        raise ValueError(f"the advice {row.id} has no horizon")
    return row.outcome_due_at
