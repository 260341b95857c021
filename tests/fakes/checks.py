"""How the fake services judge a configuration: like the engine, over the sample data."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from engine.contracts import BotConfig, BotPreview, PositionSide
from engine.domain.bots import Direction
from engine.domain.exits import fixed_levels
from engine.errors import ConfigError, NotFound, StrategyError
from tests.fakes.history import FEE
from tests.fakes.sample import INSTRUMENTS, MARKETS, STRATEGIES, price_at

BALANCE = Decimal(100_000)


def assess(config: BotConfig, now: datetime) -> BotPreview:
    """What a configuration means. Raises NotFound, ConfigError, StrategyError with the field."""
    market = next((one for one in MARKETS if one.id == config.market), None)
    if market is None and not config.market.startswith(("replay:", "account:", "prices:")):
        raise NotFound(f"There is no market '{config.market}'.", field="market")
    if market is not None and config.timeframe not in market.timeframes:
        offered = ", ".join(market.timeframes)
        raise ConfigError(f"This market has candles of {offered}.", field="timeframe")
    instrument = INSTRUMENTS.get(config.symbol)
    if instrument is None:
        raise NotFound(f"There is no symbol '{config.symbol}' on this market.", field="symbol")
    params = checked_params(config.strategy, config.params)
    if config.direction is not Direction.LONG and not instrument.can_short:
        raise ConfigError(f"{config.symbol} cannot be sold short.", field="direction")
    if config.amount < instrument.min_notional:
        least = f"{instrument.min_notional} {instrument.quote}"
        raise ConfigError(f"The trade amount must be at least {least}.", field="amount")
    if config.amount > BALANCE:
        raise ConfigError(f"The account holds {BALANCE} {instrument.quote}.", field="amount")
    price = price_at(config.symbol, now)
    quantity = (config.amount / price).quantize(instrument.quantity_step)
    side = PositionSide.SHORT if config.direction is Direction.SHORT else PositionSide.LONG
    stop, target = fixed_levels(config, side, price, instrument)
    fees = quantity * price * FEE * 2
    loss = None if stop is None else abs(price - stop) * quantity + fees
    return BotPreview(
        config=config.model_copy(update={"params": params}),
        instrument=instrument,
        last_price=price,
        quantity=quantity,
        fees_round_trip=fees,
        stop_price=stop,
        target_price=target,
        loss_at_stop=loss,
        gain_at_target=None if target is None else abs(target - price) * quantity - fees,
        at_risk=config.starting_capital,
        loss_at_most=config.starting_capital if loss is None else loss,
        free_balance=BALANCE,
        warnings=() if stop else ("No stop: nothing limits the loss of a position.",),
    )


def checked_params(strategy_id: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with defaults. Raises NotFound, StrategyError, ConfigError."""
    strategy = next((one for one in STRATEGIES if one.id == strategy_id), None)
    if strategy is None:
        raise NotFound(f"There is no strategy '{strategy_id}'.", field="strategy")
    if strategy.error:
        raise StrategyError(f"{strategy.path}: {strategy.error}", field="strategy")
    fields = strategy.parameters["properties"]
    for name, value in params.items():
        if name not in fields:
            raise ConfigError(
                f"{name} is not a parameter of {strategy_id}.", field=f"params.{name}"
            )
        least, most = fields[name]["minimum"], fields[name]["maximum"]
        if not isinstance(value, int | float) or not least <= value <= most:
            raise ConfigError(
                f"{name} must lie between {least} and {most}.", field=f"params.{name}"
            )
    return {name: params.get(name, field["default"]) for name, field in fields.items()}
