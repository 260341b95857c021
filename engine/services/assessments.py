"""What a configuration would mean in money, before anything is saved."""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from engine.domain.bots import BotConfig, Direction
from engine.domain.exits import fixed_levels
from engine.domain.instruments import Instrument
from engine.domain.positions import PositionSide
from engine.domain.sizing import BPS


class Assessment(BaseModel):
    """What a configuration means at the present price. Amounts in the symbol's quote."""

    model_config = ConfigDict(frozen=True)

    config: BotConfig
    instrument: Instrument
    last_price: Decimal
    quantity: Decimal
    fees_round_trip: Decimal
    stop_price: Decimal | None
    target_price: Decimal | None
    loss_at_stop: Decimal | None
    gain_at_target: Decimal | None
    at_risk: Decimal
    loss_at_most: Decimal | None
    free_balance: Decimal
    mode: str = "paper"
    warnings: tuple[str, ...] = ()


def assessment_of(
    config: BotConfig,
    instrument: Instrument,
    price: Decimal,
    quantity: Decimal,
    fee_bps: Decimal,
    free: Decimal,
) -> Assessment:
    """The amounts of an entry of ``quantity`` at ``price``, in quote, fees included."""
    side = PositionSide.SHORT if config.direction is Direction.SHORT else PositionSide.LONG
    stop, target = fixed_levels(config, side, price, instrument)
    fees = quantity * price * fee_bps / BPS * 2
    held = quantity * config.max_entries
    fees_held = fees * config.max_entries
    loss = None if stop is None else abs(price - stop) * held + fees_held
    whole = None if side is PositionSide.SHORT else config.starting_capital
    return Assessment(
        config=config,
        instrument=instrument,
        last_price=price,
        quantity=quantity,
        fees_round_trip=fees,
        stop_price=stop,
        target_price=target,
        loss_at_stop=loss,
        at_risk=config.starting_capital,
        loss_at_most=whole if loss is None else loss,
        gain_at_target=None if target is None else abs(target - price) * held - fees_held,
        free_balance=free,
        warnings=tuple(_warnings(config, quantity, price, fees, free)),
    )


def _warnings(
    config: BotConfig, quantity: Decimal, price: Decimal, fees: Decimal, free: Decimal
) -> list[str]:
    warnings = []
    if config.stop_loss is None and config.trailing_stop is None:
        warnings.append("No stop: nothing limits the loss of a position.")
    if config.take_profit is not None and config.take_profit * quantity * price <= fees:
        warnings.append("The target is within the fees: a trade that reaches it still loses.")
    if config.starting_capital > free:
        warnings.append("The account's free balance does not cover all entries at once.")
    return warnings
