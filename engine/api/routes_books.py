"""What was traded and written down: overview, positions, trades, events, audit."""

from itertools import chain, islice
from typing import Annotated

from fastapi import Query, Response
from fastapi.responses import StreamingResponse

from engine.api.routing import Limit, Services, new_router
from engine.api.wire import answer
from engine.contracts import (
    AuditEntry,
    Event,
    EventFilter,
    Overview,
    PositionView,
    TradeFilter,
    TradePage,
)
from engine.domain.csv_export import csv_chunks

router = new_router("books")


@router.get("/overview", response_model=Overview, summary="Everything at a glance")
def overview(services: Services) -> Response:
    """One consistent read."""
    return answer(services.overview())


@router.get("/positions", response_model=list[PositionView], summary="Open positions")
def positions(services: Services) -> Response:
    """At present prices."""
    return answer(services.positions())


@router.get("/trades", response_model=TradePage, summary="Closed trades")
def trades(services: Services, chosen: Annotated[TradeFilter, Query()]) -> Response:
    """A page, newest first, with totals over all that match."""
    return answer(services.trades(chosen))


@router.get("/trades.csv", response_class=StreamingResponse, summary="Closed trades as CSV")
def trades_csv(services: Services, chosen: Annotated[TradeFilter, Query()]) -> Response:
    """Every trade that matches: ``limit`` and ``offset`` do not apply. Safe to open in a
    spreadsheet: text that looks like a formula has a quote mark in front."""
    rows = iter(services.iter_trades(chosen))
    # Taking the first row here lets a failing database answer 503 instead of half a file.
    first = list(islice(rows, 1))
    body = csv_chunks(chain(first, rows))
    headers = {"Content-Disposition": 'attachment; filename="trades.csv"'}
    return StreamingResponse(body, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/events", response_model=list[Event], summary="What happened")
def events(services: Services, chosen: Annotated[EventFilter, Query()]) -> Response:
    """Newest first; ``level`` is the least that is shown."""
    return answer(services.events(chosen))


@router.get("/audit", response_model=list[AuditEntry], summary="Who did what")
def audit(services: Services, limit: Limit = 200) -> Response:
    """Newest first."""
    return answer(services.audit(limit))
