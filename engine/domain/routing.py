"""Smart order routing: which account takes an entry. Pure: what venues offer in, a plan out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from engine.domain.instruments import Depth, Instrument
from engine.domain.money import ONE, ZERO, text
from engine.domain.orders import Side
from engine.domain.routes import HOME_FALLBACK, RouteCandidate, RoutePlan, RoutingConfig
from engine.domain.sizing import BPS, affordable_quantity

THOUSAND = Decimal(1000)


@dataclass(frozen=True, slots=True)
class Offer:
    """What one venue offers for an entry. ``trouble`` is why it cannot be asked, or chosen, before
    any number is looked at. ``depth`` None: only the best prices are known, not their sizes."""

    market: str
    account_id: str
    is_home: bool = False
    instrument: Instrument | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    depth: Depth | None = None
    fee_bps: Decimal = ZERO
    latency_ms: float | None = None
    age_s: float | None = None
    free: Decimal | None = None
    can_short: bool = False
    trouble: str = field(default="")


def match_instrument(wanted: Instrument, listed: Iterable[Instrument]) -> Instrument | None:
    """The instrument of another market that is the same: base, quote and kind. Of several the one
    of the same name, else the first by name."""
    key = (wanted.base.upper(), wanted.quote.upper(), wanted.kind)
    same = [one for one in listed if (one.base.upper(), one.quote.upper(), one.kind) == key]
    same.sort(key=lambda one: (one.symbol != wanted.symbol, one.symbol))
    return same[0] if same else None


def plan_route(
    side: Side, amount: Decimal, offers: Sequence[Offer], rules: RoutingConfig, now: datetime
) -> RoutePlan:
    """Weigh ``offers`` (one is the bot's own) for an entry of ``amount`` quote and choose the best.

    The best has the lowest cost (or brings the most) for one unit, fee and latency included; of
    equals the bot's own, then the first by market. Without any that can, the bot's own.
    """
    home = next(one for one in offers if one.is_home)
    weighed = [_weigh(side, amount, offer, home, rules) for offer in offers]
    fit = sorted((one for one in weighed if not one.excluded), key=lambda one: _order(one, side))
    out = sorted((one for one in weighed if one.excluded), key=_name)
    if not fit:
        chosen, reason = home.account_id, HOME_FALLBACK
    else:
        chosen, reason = fit[0].account_id, _reason(fit, side)
    return RoutePlan(
        side=side.value, amount=amount, chosen=chosen, reason=reason, decided_at=now,
        candidates=(*fit, *out),
    )  # fmt: skip


def _weigh(
    side: Side, amount: Decimal, offer: Offer, home: Offer, rules: RoutingConfig
) -> RouteCandidate:
    """One venue with its numbers, and its score or why it is out."""
    price, shortage = _price(side, amount, offer)
    score = None if price is None else _score(side, price, offer, rules)
    excluded = offer.trouble or shortage or _objection(side, amount, price, offer, home, rules)
    return RouteCandidate(
        market=offer.market,
        account_id=offer.account_id,
        symbol=offer.instrument.symbol if offer.instrument else "",
        is_home=offer.is_home,
        price=price,
        has_depth=offer.depth is not None,
        fee_bps=offer.fee_bps if offer.instrument else None,
        latency_ms=offer.latency_ms,
        age_s=offer.age_s,
        free=offer.free,
        score=score,
        excluded=excluded,
    )


def _price(side: Side, amount: Decimal, offer: Offer) -> tuple[Decimal | None, str]:
    """What one unit costs before the fee: the mean over the levels that ``amount`` takes, else the
    best price; and why there is none."""
    if offer.depth is None:
        best = offer.ask if side is Side.BUY else offer.bid
        return (best, "") if best is not None and best > 0 else (None, "it has no price")
    left, quantity = amount, ZERO
    for price, size in offer.depth.asks if side is Side.BUY else offer.depth.bids:
        taken = min(left, price * size)
        quantity += taken / price
        left -= taken
        if left <= 0:
            return amount / quantity, ""
    return None, f"its book holds only {text(amount - left)} of the {text(amount)} wanted"


def _score(side: Side, price: Decimal, offer: Offer, rules: RoutingConfig) -> Decimal:
    waited_s = Decimal(repr(offer.latency_ms or 0.0)) / THOUSAND
    cost = (offer.fee_bps + waited_s * rules.latency_bps_per_s) / BPS
    return price * (ONE + cost) if side is Side.BUY else price * (ONE - cost)


def _objection(
    side: Side,
    amount: Decimal,
    price: Decimal | None,
    offer: Offer,
    home: Offer,
    rules: RoutingConfig,
) -> str:
    """Why a venue that answered is left out, or nothing."""
    instrument = offer.instrument
    if instrument is None or price is None:
        return "it does not list the instrument"
    if offer.age_s is not None and offer.age_s > rules.max_age_s:
        return f"its price is {offer.age_s:.1f} s old"
    extra = offer.fee_bps - home.fee_bps
    if extra > rules.max_extra_fee_bps:
        return f"its fee is {text(extra)} basis points above that of the bot's own account"
    if side is Side.SELL and not (instrument.can_short and offer.can_short):
        return "it does not sell short"
    if offer.free is None:
        return "its free balance is not known"
    if offer.free < amount:
        return f"only {text(offer.free)} {instrument.quote} are free"
    quantity = affordable_quantity(amount, price, offer.fee_bps, instrument)
    least = max(instrument.min_quantity, instrument.quantity_step)
    if quantity < least or quantity * price < instrument.min_notional:
        return "the entry is below its minimum"
    return ""


def _order(one: RouteCandidate, side: Side) -> tuple[Decimal, bool, str, str]:
    score = one.score or ZERO
    return (score if side is Side.BUY else -score, *_name(one))


def _name(one: RouteCandidate) -> tuple[bool, str, str]:
    return not one.is_home, one.market, one.account_id


def _reason(fit: Sequence[RouteCandidate], side: Side) -> str:
    best, verb = fit[0], "costs least" if side is Side.BUY else "brings most"
    if len(fit) == 1:
        return f"{best.market} is the only one that can take it"
    second = fit[1]
    if best.score is None or second.score is None or best.score == second.score:
        return f"{best.market} and {second.market} are equal; the bot's own, then the name, decides"
    better_bps = abs(second.score - best.score) / second.score * BPS
    return f"{best.market} {verb}, by {better_bps:.2f} basis points, fee and latency included"
