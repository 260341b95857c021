"""How well it went: figures, comparisons, and reports to keep."""

from itertools import chain, islice
from typing import Annotated

from fastapi import Query, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from engine.api.routing import Services, new_router
from engine.api.wire import answer
from engine.contracts.performance import PerformanceFilter, PerformanceView, ReportTable

router = new_router("performance")

Chosen = Annotated[PerformanceFilter, Query()]


class CsvReport(PerformanceFilter):
    """A report's filter, and which of its tables."""

    table: ReportTable = "metrics"


@router.get("/performance", response_model=PerformanceView, summary="Figures and comparisons")
def performance(services: Services, chosen: Chosen) -> Response:
    """By quote asset; nothing where nothing was traded."""
    return answer(services.performance.view(chosen))


@router.get("/performance/report.html", response_class=HTMLResponse, summary="A report to keep")
def report_html(services: Services, chosen: Chosen) -> Response:
    """One self-contained page."""
    headers = {"Content-Disposition": 'attachment; filename="performance.html"'}
    return HTMLResponse(services.performance.html(chosen), headers=headers)


@router.get("/performance/report.csv", response_class=StreamingResponse, summary="One table of it")
def report_csv(services: Services, chosen: Annotated[CsvReport, Query()]) -> Response:
    """``table``: metrics, equity or trades. Safe to open in a spreadsheet."""
    asked = PerformanceFilter.model_validate(chosen.model_dump(exclude={"table"}))
    rows = services.performance.csv(asked, chosen.table)
    # Taking the first rows here lets a failing database answer 503 instead of half a file.
    body = chain(list(islice(rows, 2)), rows)
    headers = {"Content-Disposition": f'attachment; filename="performance-{chosen.table}.csv"'}
    return StreamingResponse(body, media_type="text/csv; charset=utf-8", headers=headers)
