"""Backtests: look ahead, run, follow, cancel, read, compare, and make a bot of one."""

from typing import Annotated

from fastapi import Path, Query, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from engine.api.routing import Actor, Services, new_router
from engine.api.wire import answer
from engine.contracts import BotView, Chart
from engine.contracts.backtests import (
    BacktestBotRequest,
    BacktestChartQuery,
    BacktestFilter,
    BacktestPage,
    BacktestPreview,
    BacktestReport,
    BacktestRequest,
    BacktestRun,
    BacktestTradeFilter,
    BacktestTradePage,
    Comparison,
)

router = new_router("backtests")

RunId = Annotated[str, Path(max_length=64, description="a backtest's id")]


@router.post("/backtests/preview", response_model=BacktestPreview,
             summary="What a backtest would use")  # fmt: skip
def preview(request: BacktestRequest, services: Services) -> Response:
    """Validates everything, saves nothing; a market is not asked for candles."""
    return answer(services.backtests.preview(request))


@router.post("/backtests", response_model=BacktestRun, status_code=201, summary="Run a backtest")
def create(request: BacktestRequest, services: Services, actor: Actor) -> Response:
    """It waits for its turn."""
    return answer(services.backtests.create(request, actor), 201)


@router.get("/backtests", response_model=BacktestPage, summary="The backtests there are")
def history(services: Services, chosen: Annotated[BacktestFilter, Query()]) -> Response:
    """Newest first."""
    return answer(services.backtests.page(chosen))


@router.get("/backtests/compare", response_model=Comparison, summary="Backtests side by side")
def compare(
    services: Services, ids: Annotated[str, Query(max_length=400, description="comma-separated")]
) -> Response:
    """Two to five that are done."""
    wanted = [one.strip() for one in ids.split(",") if one.strip()]
    return answer(services.backtests.compare(wanted))


@router.get("/backtests/{key}", response_model=BacktestReport, summary="One backtest")
def report(key: RunId, services: Services) -> Response:
    """What it is doing; everything it found once it is done."""
    return answer(services.backtests.report(key))


@router.get("/backtests/{key}/trades", response_model=BacktestTradePage,
            summary="A backtest's trades")  # fmt: skip
def trades(
    key: RunId, services: Services, chosen: Annotated[BacktestTradeFilter, Query()]
) -> Response:
    """A page, with the sum over all that match."""
    return answer(services.backtests.trades(key, chosen))


@router.get("/backtests/{key}/trades.csv", response_class=StreamingResponse,
            summary="A backtest's trades as CSV")  # fmt: skip
def trades_csv(
    key: RunId, services: Services, chosen: Annotated[BacktestTradeFilter, Query()]
) -> Response:
    """Every trade that matches: ``limit`` and ``offset`` do not apply."""
    headers = {"Content-Disposition": 'attachment; filename="backtest-trades.csv"'}
    body = services.backtests.trades_csv(key, chosen)
    return StreamingResponse(body, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/backtests/{key}/report.html", response_class=HTMLResponse,
            summary="A backtest's report to keep")  # fmt: skip
def report_html(key: RunId, services: Services) -> Response:
    """One page without scripts."""
    headers = {"Content-Disposition": 'attachment; filename="backtest.html"'}
    return HTMLResponse(services.backtests.html(key), headers=headers)


@router.get("/backtests/{key}/chart", response_model=Chart,
            summary="Candles with a backtest's trades")  # fmt: skip
def chart(
    key: RunId, services: Services, query: Annotated[BacktestChartQuery, Query()]
) -> Response:
    """A window of the candles that were used."""
    return answer(services.backtests.chart(key, query))


@router.post("/backtests/{key}/cancel", response_model=BacktestRun, summary="Cancel a backtest")
def cancel(key: RunId, services: Services, actor: Actor) -> Response:
    """At whatever stage; 409 when it has ended."""
    return answer(services.backtests.cancel(key, actor))


@router.post("/backtests/{key}/again", response_model=BacktestRun, status_code=201,
             summary="Run a backtest again")  # fmt: skip
def run_again(key: RunId, services: Services, actor: Actor) -> Response:
    """With the candles and the strategy as they are now; it says when these have changed."""
    return answer(services.backtests.run_again(key, actor), 201)


@router.post("/backtests/{key}/bot", response_model=BotView, status_code=201,
             summary="Make a paper bot of a backtest")  # fmt: skip
def make_bot(key: RunId, request: BacktestBotRequest, services: Services, actor: Actor) -> Response:
    """Same strategy, parameters, exits, size and direction; the new bot is stopped."""
    return answer(services.backtests.make_bot(key, request, actor), 201)


@router.delete("/backtests/{key}", status_code=204, summary="Delete a backtest")
def delete(key: RunId, services: Services, actor: Actor) -> Response:
    """With its files; 409 while it waits or runs."""
    services.backtests.delete(key, actor)
    return Response(status_code=204)
