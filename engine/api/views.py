"""Read models: what the API shows of bots, positions and trades, built from the books."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from engine.api.base_views import base_totals
from engine.contracts import (
    BotView,
    EquitySeries,
    Lateness,
    PositionView,
    QuoteTotal,
    TradeTotals,
)
from engine.contracts.conversion import BaseTotals
from engine.contracts.market_data import LiveFacts
from engine.domain.bots import ACTIVE_STATES, Bot, BotState
from engine.domain.ledger import open_pnl, shown_price
from engine.domain.money import ZERO
from engine.domain.positions import Position
from engine.domain.records import EquityPoint
from engine.domain.venue_accounts import mode_of
from engine.services.books import Books
from engine.services.convert import Converter
from engine.services.instrument_book import InstrumentBook
from engine.services.pulse import Pulse, next_multiple
from engine.services.track_equity import EquityKeeper, Worth

SERIES_POINTS = 400
CHECKED_STATES = ACTIVE_STATES - {BotState.STARTING, BotState.STOPPING}


class Views:
    """Builds views from memory; no venue is asked."""

    def __init__(
        self,
        books: Books,
        equity: EquityKeeper,
        instruments: InstrumentBook,
        pulse: Pulse,
        converter: Converter,
        live_facts: Callable[[Bot], LiveFacts] = lambda _bot: LiveFacts(),
    ) -> None:
        self._books = books
        self._equity = equity
        self._instruments = instruments
        self._pulse = pulse
        self._converter = converter
        self._live_facts = live_facts

    def bot(self, bot: Bot) -> BotView:
        """A bot with what is live about it."""
        worth = self._equity.worth(bot)
        position = self._books.positions.get(bot.id)
        is_checked = bot.state in CHECKED_STATES
        now, instrument = self._books.clock.now(), self._instruments.of(bot)
        live = self._live_facts(bot)
        check_at = live.sleeps_until or next_multiple(now, bot.config.interval_s)
        return BotView(
            id=bot.id,
            config=bot.config,
            account_id=bot.account_id,
            mode=mode_of(bot.account_id),
            account_objection=self._books.account_objection(bot.account_id),
            account_name=self._account_name(bot),
            state=bot.state,
            desired=bot.desired,
            reason=bot.reason,
            base=instrument.base,
            quote=instrument.quote,
            can_short=instrument.can_short,
            last_price=worth.price,
            price_at=worth.price_at,
            equity=worth.equity,
            capital=bot.config.starting_capital,
            realised_pnl=worth.realised,
            unrealised_pnl=worth.unrealised,
            today_pnl=self._equity.today(bot, worth),
            trade_count=bot.trade_count,
            win_count=bot.win_count,
            position=self.position(bot, position, worth) if position else None,
            next_check_at=check_at if is_checked else None,
            checked_at=self._pulse.checked_at.get(bot.id, bot.checked_at),
            decided_until=bot.decided_until,
            strategy_errors=bot.strategy_errors,
            created_at=bot.created_at,
            started_at=bot.started_at,
            sparkline=tuple(self._equity.sparkline_of(bot.id)),
            live=live,
        )

    def _account_name(self, bot: Bot) -> str:
        kind, _, account_id = bot.market.partition(":")
        added = self._books.venue_accounts.get(account_id)
        return added.name if added is not None and kind in ("account", "prices") else ""

    def modes(self) -> tuple[str, ...]:
        """Whose money the accounts in use move; paper while there are none."""
        used = {mode_of(bot.account_id) for bot in list(self._books.bots.values())}
        return tuple(sorted(used)) or ("paper",)

    def position(self, bot: Bot, position: Position, worth: Worth) -> PositionView:
        """An open position at the last price seen."""
        pnl = open_pnl(position, worth.price) if worth.price is not None else None
        return PositionView(
            id=position.id,
            bot_id=bot.id,
            bot_name=bot.config.name,
            market=bot.market,
            symbol=position.symbol,
            quote=self._instruments.of(bot).quote,
            side=position.side,
            quantity=position.quantity,
            average_price=shown_price(position.average_price),
            last_price=worth.price,
            unrealised_pnl=pnl,
            unrealised_fraction=shown_price(pnl / position.entry_value)
            if pnl is not None
            else None,
            stop_price=position.stop_price,
            target_price=position.target_price,
            entry_count=position.entry_count,
            fees=position.fees,
            funding=position.funding,
            exit_quantity=position.exit_quantity,
            dust=position.dust,
            protected_at=position.protected_at,
            unprotected_since=position.unprotected_since,
            opened_at=position.opened_at,
        )

    def open_positions(self) -> list[PositionView]:
        """All open positions, the oldest first."""
        found = []
        for bot_id, position in list(self._books.positions.items()):
            bot = self._books.bots.get(bot_id)
            if bot is not None:
                found.append(self.position(bot, position, self._equity.worth(bot)))
        return sorted(found, key=lambda view: view.opened_at)

    def base(self, totals: Sequence[QuoteTotal]) -> BaseTotals:
        """All totals in the base currency."""
        return base_totals(self._converter, totals, self._books.clock.now())

    def equity_series(self) -> tuple[EquitySeries, ...]:
        """The summed curves, thinned to what a chart can show."""
        return tuple(
            _series(quote, points) for quote, points in self._equity.total_curves().items()
        )


def _series(quote: str, points: Sequence[EquityPoint]) -> EquitySeries:
    step = max(1, -(-len(points) // SERIES_POINTS))
    # Counted from the end, so that the newest point is always there.
    kept = points[::-1][::step][::-1]
    return EquitySeries(
        quote=quote,
        times=tuple(point.time for point in kept),
        equity=tuple(float(point.equity) for point in kept),
    )


def count_states(bots: Iterable[BotView]) -> dict[BotState, int]:
    """How many bots are in each state, those without any too."""
    states = dict.fromkeys(BotState, 0)
    for view in bots:
        states[view.state] += 1
    return states


def sum_bots(bots: Iterable[BotView]) -> tuple[QuoteTotal, ...]:
    """Totals by quote asset; amounts of different assets are never added up."""
    by_quote: dict[str, list[BotView]] = {}
    for view in bots:
        by_quote.setdefault(view.quote, []).append(view)
    return tuple(
        QuoteTotal(
            quote=quote,
            equity=_sum(view.equity for view in views),
            realised_pnl=_sum(view.realised_pnl for view in views),
            unrealised_pnl=_sum(view.unrealised_pnl for view in views),
            today_pnl=_sum(view.today_pnl for view in views),
            open_positions=sum(view.position is not None for view in views),
        )
        for quote, views in sorted(by_quote.items())
    )


def sum_trades(rows: Iterable[tuple[str, Decimal, Decimal]]) -> tuple[TradeTotals, ...]:
    """Totals of (quote, pnl, fees) rows by quote asset. The profit factor is gross profit over
    gross loss, None without a loss."""
    by_quote: dict[str, list[tuple[Decimal, Decimal]]] = {}
    for quote, pnl, fees in rows:
        by_quote.setdefault(quote, []).append((pnl, fees))
    return tuple(_totals(quote, found) for quote, found in sorted(by_quote.items()))


def _totals(quote: str, trades: Sequence[tuple[Decimal, Decimal]]) -> TradeTotals:
    profits = [pnl for pnl, _ in trades]
    won = _sum(pnl for pnl in profits if pnl > 0)
    lost = -_sum(pnl for pnl in profits if pnl < 0)
    return TradeTotals(
        quote=quote,
        count=len(trades),
        wins=sum(pnl > 0 for pnl in profits),
        losses=sum(pnl < 0 for pnl in profits),
        pnl=_sum(profits),
        fees=_sum(fees for _, fees in trades),
        best=max(profits),
        worst=min(profits),
        profit_factor=float(won / lost) if lost else None,
    )


def lateness(samples_s: Sequence[float]) -> Lateness:
    """Percentiles by the nearest rank; zeros without a sample."""
    ordered = sorted(samples_s) or [0.0]
    last = len(ordered) - 1
    return Lateness(
        count=len(samples_s),
        p50_s=ordered[round(0.50 * last)],
        p99_s=ordered[round(0.99 * last)],
        worst_s=ordered[last],
    )


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)
