"""The decision trace: what each step of a cycle had to say, as the bot's "Why?" tab shows it."""

from collections.abc import Sequence
from datetime import datetime

from engine.domain.bots import Bot
from engine.domain.candles import Candles
from engine.domain.decisions import Action, Decision, Intent, TraceStep, Verdict
from engine.domain.money import from_epoch_ms
from engine.domain.orders import Order
from engine.domain.routes import RouteCandidate, RoutePlan


def first_steps(
    candles: Candles,
    intent: Intent,
    action: Action,
    other_source: str = "",
    *,
    is_of_model: bool = False,
) -> list[TraceStep]:
    """What was looked at, and what the strategy (or the model that decides in its stead) made of
    it. ``other_source`` says whose the candles are when they are not the market's own."""
    close = float(candles.close[-1])
    detail = f"{len(candles)} closed {candles.timeframe} candles"
    return [
        TraceStep(
            step="candles",
            verdict=Verdict.PASS,
            detail=f"{detail}. {other_source}" if other_source else detail,
            values={"close": close, "closed_at": candles.last_close_time.isoformat()},
        ),
        TraceStep(
            step="model" if is_of_model else "strategy",
            verdict=Verdict.HOLD if action is Action.HOLD else Verdict.PASS,
            detail=intent.reason,
            values={**intent.values, "confidence": intent.confidence, "size": intent.size},
        ),
    ]


def route_step(plan: RoutePlan) -> TraceStep:
    """Which account the entry goes to, and what was weighed."""
    return TraceStep(
        step="route",
        verdict=Verdict.PASS,
        detail=plan.reason,
        values={
            "chosen": plan.chosen,
            **{one.market: _route_words(one) for one in plan.candidates},
        },
    )


def _route_words(one: RouteCandidate) -> str:
    """A venue's numbers, or why it was left out."""
    if one.excluded:
        return f"left out: {one.excluded}"
    latency = "" if one.latency_ms is None else f", {one.latency_ms:.0f} ms"
    depth = "its book's mean" if one.has_depth else "best price, size unknown"
    return f"{one.score:.8g} with fee {one.fee_bps} bps{latency} ({depth})"


def planned_step(order: Order) -> TraceStep:
    """The order that follows."""
    amount = order.quantity if order.quote_amount is None else order.quote_amount
    return TraceStep(
        step="order desk",
        verdict=Verdict.PASS,
        detail=f"{order.purpose.value} planned: {order.side.value} {order.symbol}",
        values={"client_id": order.client_id, "amount": str(amount) if amount else "proceeds"},
    )


def decision_id(bot_id: str, candles: Candles) -> str:
    """The id of the decision on the newest candle."""
    return f"{bot_id}-{candles.timeframe}-{int(candles.time[-1]) // 1000}"


def decision_of(
    bot: Bot,
    decided_at: datetime,
    candles: Candles,
    intent: Intent,
    action: Action,
    steps: Sequence[TraceStep],
) -> Decision:
    """The decision on the newest candle; its reason is the first veto's, or the strategy's."""
    opened = from_epoch_ms(int(candles.time[-1]))
    return Decision(
        id=decision_id(bot.id, candles),
        bot_id=bot.id,
        candle_time=opened,
        decided_at=decided_at,
        action=action,
        reason=next((s.detail for s in steps if s.verdict is Verdict.VETO), intent.reason),
        price=float(candles.close[-1]),
        confidence=intent.confidence,
        trace=tuple(steps),
    )
