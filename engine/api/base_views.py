"""Read models in the base currency: sums over assets, with what is left out of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from engine.contracts import QuoteTotal
from engine.contracts.conversion import BaseTotals, BaseWorth, LeftOut
from engine.domain.conversion import Sum
from engine.services.convert import Converter


def worth_of(converter: Converter, amounts: Mapping[str, Decimal], now: datetime) -> BaseWorth:
    """What amounts by asset are worth together."""
    return _worth(converter.add_up(amounts), now)


def base_totals(converter: Converter, totals: Sequence[QuoteTotal], now: datetime) -> BaseTotals:
    """The totals of all quote assets in one, all by the rates of one moment."""
    rates = converter.rates()

    def figure(name: str) -> Decimal | None:
        amounts = {one.quote: getattr(one, name) for one in totals}
        return converter.add_up(amounts, rates).value

    equity = converter.add_up({one.quote: one.equity for one in totals}, rates)
    return BaseTotals(
        **_worth(equity, now).model_dump(),
        today_pnl=figure("today_pnl"),
        unrealised_pnl=figure("unrealised_pnl"),
        realised_pnl=figure("realised_pnl"),
    )


def _worth(total: Sum, now: datetime) -> BaseWorth:
    return BaseWorth(
        currency=total.target,
        value=total.value,
        as_of=total.as_of,
        left_out=tuple(LeftOut(asset=asset, amount=amount) for asset, amount in total.left_out),
        stale=tuple(chain.asset for chain in total.chains if chain.is_stale(now)),
        declared=tuple(dict.fromkeys(words for one in total.chains for words in one.declared)),
        simulated=tuple(chain.asset for chain in total.chains if chain.is_simulated),
    )
