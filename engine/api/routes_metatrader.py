"""The bridge to MetaTrader: prices and reports in, orders out; see docs/metatrader.md."""

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import Query, Request, Response

from engine.api.routing import Services, new_router
from engine.api.wire import answer
from engine.contracts.bridge import (
    BridgeHealth,
    BridgeStatistics,
    ExecutionKept,
    OfferedOrders,
    SignalKept,
)
from engine.contracts.metatrader import ExecutionSignal, PriceSignal
from engine.services.take_prices import Envelope

router = new_router("metatrader", prefix="/api")

Account = Annotated[str, Query(pattern=r"^[\w.\-]{1,40}$")]
Magic = Annotated[str, Query(pattern=r"^\d{1,19}$")]


@router.post("/signals", response_model=SignalKept, summary="Prices of a symbol")
async def prices(signal: PriceSignal, request: Request, services: Services) -> Response:
    """Answered once they are durable. The same body, or the same bar, again changes nothing."""
    envelope = await _envelope(request)
    return answer(await run_sync(services.metatrader.take_prices, signal, envelope))


@router.post("/trade-execution", response_model=ExecutionKept, summary="What became of an order")
async def trade_execution(
    signal: ExecutionSignal, request: Request, services: Services
) -> Response:
    """Booked once, in whatever order reports come, before it is answered."""
    envelope = await _envelope(request)
    return answer(await run_sync(services.metatrader.take_report, signal, envelope))


@router.get("/mt5/orders", response_model=OfferedOrders, summary="Orders to execute")
def orders(account: Account, magic: Magic, services: Services) -> Response:
    """Each is offered until a report has said that it is over; its id names it for ever."""
    return answer({"orders": services.metatrader.offers(account, magic)})


@router.get("/health", response_model=BridgeHealth, summary="Which advisors are heard")
def health(services: Services) -> Response:
    """``silent`` when one that was heard before is not any more."""
    return answer(services.metatrader.health())


@router.get("/statistics", response_model=BridgeStatistics, summary="What came, and what followed")
def statistics(services: Services) -> Response:
    """Signals, symbols, orders and decisions of models, of the last hour and the last day."""
    return answer(services.metatrader.statistics())


async def _envelope(request: Request) -> Envelope:
    return Envelope(
        body=(await request.body()).decode("utf-8"),
        content_type=request.headers.get("content-type", ""),
        address=request.client.host if request.client else "",
    )
