"""How much one entry may use."""

from decimal import Decimal

from engine.domain.bots import Bot
from engine.domain.instruments import Instrument
from engine.domain.money import ONE, ZERO, exact, floor_to

BPS = Decimal(10_000)
STAKE_DIGITS = Decimal("1e-8")


def stake(bot: Bot, size: float = 1.0) -> Decimal:
    """What the next entry may spend, in quote, fees included.

    The first trade uses the trade amount; with ``reinvest`` later ones use all proceeds, in equal
    parts when several entries make one position. ``size`` is the strategy's fraction of it. Never
    negative: a bot that lost everything has no stake left.
    """
    capital = bot.capital if bot.config.reinvest else bot.config.starting_capital
    share = max(capital, ZERO) / bot.config.max_entries
    return floor_to(share * exact(size), STAKE_DIGITS)


def affordable_quantity(
    amount: Decimal, price: Decimal, fee_bps: Decimal, instrument: Instrument
) -> Decimal:
    """Base quantity that ``amount`` of quote buys at ``price`` with its fee, on the step."""
    return floor_to(amount / (price * (ONE + fee_bps / BPS)), instrument.quantity_step)
