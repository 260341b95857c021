"""How the fake services draw their state: bot, position and chart views, totals."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from engine.api.errors import details_of, summary_of
from engine.contracts import (
    Bot,
    BotConfig,
    BotState,
    BotView,
    Chart,
    Marker,
    Position,
    PositionSide,
    PositionView,
    SeriesView,
    Trade,
    TradeFilter,
    TradeTotals,
)
from engine.domain.timeframes import SECONDS
from engine.errors import ConfigError
from tests.fakes.sample import INSTRUMENTS, price_at

ZERO = Decimal(0)


def validated(settings: Mapping[str, Any]) -> BotConfig:
    """A configuration from its fields. Raises ConfigError in plain words."""
    try:
        return BotConfig.model_validate(settings)
    except ValidationError as error:
        details = details_of(error.errors())
        raise ConfigError(summary_of(details), field=details[0].field) from error


def position_view(bot: Bot, held: Position, now: datetime) -> PositionView:
    """An open position at the price of ``now``."""
    price = price_at(held.symbol, now)
    gain = held.quantity * price - held.entry_value
    unrealised = (gain if held.side is PositionSide.LONG else -gain) - held.fees
    return PositionView(
        id=held.id, bot_id=bot.id, bot_name=bot.config.name, market=bot.config.market,
        symbol=held.symbol, quote=INSTRUMENTS[held.symbol].quote, side=held.side,
        quantity=held.quantity, average_price=held.average_price, last_price=price,
        unrealised_pnl=unrealised, unrealised_fraction=unrealised / held.entry_value,
        stop_price=held.stop_price, target_price=held.target_price, entry_count=held.entry_count,
        fees=held.fees, exit_quantity=held.exit_quantity, protected_at=held.protected_at,
        unprotected_since=held.unprotected_since, opened_at=held.opened_at,
    )  # fmt: skip


def bot_view(
    bot: Bot, position: PositionView | None, trades: Sequence[Trade], now: datetime
) -> BotView:
    """A bot with what is live about it."""
    unrealised = (position.unrealised_pnl if position else None) or ZERO
    realised = sum((trade.pnl for trade in trades), ZERO)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    today = sum((trade.pnl for trade in trades if trade.exit_time >= midnight), ZERO)
    capital = bot.config.starting_capital + realised
    instrument = INSTRUMENTS[bot.config.symbol]
    is_waiting = bot.state in (BotState.RUNNING, BotState.PAUSED)
    seconds = bot.config.interval_s
    next_check = datetime.fromtimestamp((now.timestamp() // seconds + 1) * seconds, UTC)
    return BotView(
        id=bot.id, config=bot.config, account_id=bot.account_id, state=bot.state,
        desired=bot.desired, reason=bot.reason, base=instrument.base, quote=instrument.quote,
        can_short=instrument.can_short,
        last_price=price_at(bot.config.symbol, now), price_at=now, equity=capital + unrealised,
        capital=capital, realised_pnl=realised, unrealised_pnl=unrealised,
        today_pnl=today + unrealised, trade_count=len(trades),
        win_count=sum(trade.pnl > 0 for trade in trades), position=position,
        next_check_at=next_check if is_waiting else None, checked_at=bot.checked_at,
        decided_until=bot.decided_until, strategy_errors=bot.strategy_errors,
        created_at=bot.created_at, started_at=bot.started_at,
        sparkline=_sparkline(bot.config.starting_capital, trades),
    )  # fmt: skip


def _sparkline(capital: Decimal, trades: Sequence[Trade]) -> tuple[float, ...]:
    equity, line = capital, [float(capital)]
    for trade in trades:
        equity += trade.pnl
        line.append(float(equity))
    return tuple(line)


def chart(
    config: BotConfig, limit: int, now: datetime, trades: Sequence[Trade],
    position: PositionView | None,
) -> Chart:  # fmt: skip
    """The newest ``limit`` closed candles with an average, an oscillator and the markers."""
    length = timedelta(seconds=SECONDS[config.timeframe])
    seconds = SECONDS[config.timeframe]
    newest = datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC) - length
    times = [newest - length * back for back in reversed(range(limit))]
    opens = [float(price_at(config.symbol, time)) for time in times]
    closes = [*opens[1:], float(price_at(config.symbol, newest + length))]
    average = [None if i < 20 else sum(closes[i - 19 : i + 1]) / 20 for i in range(limit)]
    index = [None if i < 15 else 50 + 40 * ((i * 7 % 23) / 11.5 - 1) for i in range(limit)]
    return Chart(
        symbol=config.symbol, timeframe=config.timeframe, time=tuple(times), open=tuple(opens),
        high=tuple(max(pair) * 1.0004 for pair in zip(opens, closes, strict=True)),
        low=tuple(min(pair) * 0.9996 for pair in zip(opens, closes, strict=True)),
        close=tuple(closes), volume=tuple(10.0 + i % 13 for i in range(limit)),
        series=(
            SeriesView(name="SMA 20", values=tuple(average), is_overlay=True),
            SeriesView(name="RSI", values=tuple(index), is_overlay=False, levels=(30.0, 70.0)),
        ),
        markers=tuple(m for m in _markers(trades, position) if m.time >= times[0]),
        position=position, last_price=price_at(config.symbol, now),
    )  # fmt: skip


def _markers(trades: Sequence[Trade], position: PositionView | None) -> list[Marker]:
    found = []
    for trade in trades:
        words = f"{trade.exit_reason.replace('_', ' ')}, {trade.pnl:+.2f}"
        found += [
            Marker(time=trade.entry_time, price=trade.entry_price, kind="entry", side=trade.side,
                   text=f"{trade.side.value} {trade.quantity}"),
            Marker(time=trade.exit_time, price=trade.exit_price, kind="exit", side=trade.side,
                   text=words),
        ]  # fmt: skip
    if position is not None:
        words = f"{position.side.value} {position.quantity}"
        found.append(Marker(time=position.opened_at, price=position.average_price, kind="entry",
                            side=position.side, text=words))  # fmt: skip
    return found


def matches(trade: Trade, chosen: TradeFilter) -> bool:
    """Whether a trade passes a filter."""
    return (
        chosen.bot_id in (None, trade.bot_id, trade.bot_name)
        and chosen.symbol in (None, trade.symbol)
        and chosen.strategy in (None, trade.strategy)
        and chosen.side in (None, trade.side)
        and chosen.exit_reason in (None, trade.exit_reason)
        and (chosen.since is None or trade.exit_time >= chosen.since)
        and (chosen.until is None or trade.exit_time < chosen.until)
    )


def trade_totals(trades: Sequence[Trade]) -> tuple[TradeTotals, ...]:
    """Sums a quote asset."""
    by_quote: dict[str, list[Decimal]] = {}
    fees: dict[str, Decimal] = {}
    for trade in trades:
        by_quote.setdefault(trade.quote, []).append(trade.pnl)
        fees[trade.quote] = fees.get(trade.quote, ZERO) + trade.fees
    return tuple(_totals(quote, gains, fees[quote]) for quote, gains in sorted(by_quote.items()))


def _totals(quote: str, gains: Sequence[Decimal], fees: Decimal) -> TradeTotals:
    won = sum((gain for gain in gains if gain > 0), ZERO)
    lost = -sum((gain for gain in gains if gain <= 0), ZERO)
    return TradeTotals(
        quote=quote, count=len(gains), wins=sum(gain > 0 for gain in gains),
        losses=sum(gain <= 0 for gain in gains), pnl=won - lost, fees=fees, best=max(gains),
        worst=min(gains), profit_factor=float(won / lost) if lost else None,
    )  # fmt: skip
