"""What the engine says in a chat: plain text, in which no letter of a name means anything."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from engine import __version__
from engine.api.views import count_states, sum_bots
from engine.contracts import BotState, BotView, KillLevel, KillSwitch, PositionView
from engine.domain.amount_words import exactly, lasting, percent, shown, signed
from engine.domain.chat_commands import bounded
from engine.domain.money import ZERO
from engine.services.books import Books

UNAVAILABLE = "unavailable (no price yet)"
MOST_TROUBLES = 5


@dataclass(frozen=True)
class Earned:
    """Profit of closed trades in one asset; ``open`` is that of open positions, None when one of
    them has no price."""

    quote: str
    today: Decimal = ZERO
    week: Decimal = ZERO
    ever: Decimal = ZERO
    open: Decimal | None = ZERO


def status_text(
    bots: Sequence[BotView], switches: Sequence[KillSwitch], up: timedelta
) -> str:  # fmt: skip
    """The engine at a glance."""
    states = ", ".join(f"{count} {state}" for state, count in count_states(bots).items() if count)
    lines = [
        f"Quarterdeck {__version__}, up {lasting(up)}",
        *controls_lines(switches),
        f"Bots: {states or 'none'}",
        *(
            _total_line(bots, total.quote, total.equity, total.today_pnl)
            for total in sum_bots(bots)
        ),
        f"Open positions: {sum(bot.position is not None for bot in bots)}",
    ]
    troubles = [f"{bot.config.name}: {_trouble(bot)}" for bot in bots if _trouble(bot)]
    if not troubles:
        return bounded(lines, (), "lines")
    return bounded([*lines, f"In trouble: {len(troubles)}"], troubles[:MOST_TROUBLES], "lines")


def controls_lines(switches: Sequence[KillSwitch]) -> list[str]:
    """The kill switch, and how many other controls there are."""
    everything = next((one for one in switches if not one.key), KillSwitch())
    words = words_of(everything.level) if everything.level is not KillLevel.NONE else "off"
    reason = f" ({everything.reason})" if everything.reason else ""
    others = sum(bool(one.key) for one in switches)
    more = [f"Controls on bots, accounts and symbols: {others}"] if others else []
    return [f"Kill switch: {words}{reason}", *more]


def bots_text(bots: Sequence[BotView]) -> str:
    """All bots, in the order in which they were made."""
    if not bots:
        return "There are no bots yet. The panel makes one."
    rows = [f"{bot.config.name}: {bot.state}, {bot.config.symbol}, {_today(bot)}" for bot in bots]
    return bounded([f"Bots: {len(bots)}"], rows, "bots")


def positions_text(positions: Sequence[PositionView]) -> str:
    """Open positions, the oldest first."""
    if not positions:
        return "No position is open."
    rows = [_position_row(one) for one in positions]
    return bounded([f"Open positions: {len(positions)}"], rows, "positions")


def profit_text(earned: Iterable[Earned]) -> str:
    """Profit by asset: amounts of different assets are never added up."""
    rows = []
    for one in earned:
        still = UNAVAILABLE if one.open is None else signed(one.open)
        rows.append(
            f"{one.quote}: today {signed(one.today)}, 7 days {signed(one.week)},"
            f" all {signed(one.ever)}; open positions {still}"
        )
    if not rows:
        return "No trade was closed yet, and no position is open."
    return bounded(["Profit of closed trades, after fees (days are UTC's)"], rows, "assets")


def kill_question(books: Books) -> str:
    """What the kill switch would do."""
    return (
        "Pull the kill switch? Nothing new is opened, and entries that are not filled are taken"
        f" back ({waiting_entries(books)} now). Positions are kept ({len(books.positions)} now);"
        " their exits go on."
    )


def waiting_entries(books: Books) -> int:
    """Orders of entries that are not done."""
    return sum(
        order.purpose.value == "entry"
        for orders in list(books.working.values())
        for order in list(orders.values())
    )


def words_of(level: KillLevel) -> str:
    """As the panel calls it."""
    return level.value.replace("_", " ")


def _trouble(bot: BotView) -> str:
    """Why it does not do what it should; a bot that sleeps or is stopped does."""
    if bot.state in (BotState.STOPPED, BotState.SLEEPING):
        return ""
    return bot.account_objection or bot.reason


def _has_no_price(bot: BotView) -> bool:
    return bot.position is not None and bot.last_price is None


def _today(bot: BotView) -> str:
    told = UNAVAILABLE if _has_no_price(bot) else f"{signed(bot.today_pnl)} {bot.quote}"
    return f"today {told}" + (", in position" if bot.position is not None else "")


def _total_line(bots: Sequence[BotView], quote: str, equity: Decimal, today: Decimal) -> str:
    blind = sum(_has_no_price(bot) for bot in bots if bot.quote == quote)
    if blind:
        return f"{quote}: equity and profit unavailable, {blind} positions have no price yet"
    return f"{quote}: equity {shown(equity)}, today {signed(today)}"


def _position_row(one: PositionView) -> str:
    what = f"{one.bot_name}: {one.side} {exactly(one.quantity)} {one.symbol}"
    at = f"at {exactly(one.average_price)} {one.quote}"
    if one.unrealised_pnl is None or one.unrealised_fraction is None:
        worth = f"profit {UNAVAILABLE}"
    else:
        worth = f"{signed(one.unrealised_pnl)} {one.quote} ({percent(one.unrealised_fraction)})"
    stop = "no stop" if one.stop_price is None else f"stop {exactly(one.stop_price)}"
    return f"{what} {at}, {worth}, {stop}"
