"""Models: what they were asked and said, how good it was, and asking them once more."""

from itertools import chain, islice
from typing import Annotated

from fastapi import Path, Query, Response
from fastapi.responses import StreamingResponse

from engine.api.routing import Actor, Services, new_router
from engine.api.wire import answer
from engine.contracts.ai import (
    AdviceFilter,
    AdvicePage,
    AdviceView,
    AiStatus,
    AiSummary,
    AiSummaryFilter,
    DryRunRequest,
    DryRunView,
)

router = new_router("ai")

AdviceId = Annotated[str, Path(max_length=64, description="the id of a question")]


@router.get("/ai/status", response_model=AiStatus, summary="Whether a model can be asked")
def status(services: Services) -> Response:
    """The provider, its pauses and errors, and what is used of the day's budget."""
    return answer(services.ai.status())


@router.get("/ai/summary", response_model=AiSummary, summary="How good the answers were")
def summary(services: Services, chosen: Annotated[AiSummaryFilter, Query()]) -> Response:
    """Accuracy, calibration by confidence, costs, latency, and what holding back was worth."""
    return answer(services.ai.summary(chosen))


@router.get("/ai/advice", response_model=AdvicePage, summary="What models were asked")
def page(services: Services, chosen: Annotated[AdviceFilter, Query()]) -> Response:
    """Newest first, without prompts."""
    return answer(services.ai.page(chosen))


@router.get("/ai/advice.csv", response_class=StreamingResponse, summary="The same as CSV")
def csv(services: Services, chosen: Annotated[AdviceFilter, Query()]) -> Response:
    """All that match: ``limit`` and ``offset`` do not apply. Safe to open in a spreadsheet."""
    rows = services.ai.csv(chosen)
    # Taking the first rows here lets a failing database answer 503 instead of half a file.
    body = chain(list(islice(rows, 2)), rows)
    headers = {"Content-Disposition": 'attachment; filename="advice.csv"'}
    return StreamingResponse(body, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/ai/advice/{advice_id}", response_model=AdviceView, summary="One question whole")
def get(services: Services, advice_id: AdviceId) -> Response:
    """With prompt, answer, what was made of it, its outcome and its replays."""
    return answer(services.ai.get(advice_id))


@router.post("/ai/advice/{advice_id}/replay", response_model=AdviceView, summary="Ask it again")
def replay(services: Services, advice_id: AdviceId, actor: Actor) -> Response:
    """The same words to the model of the settings; nothing follows. Waits for the answer."""
    return answer(services.ai.replay(advice_id, actor))


@router.post("/ai/dry-run", response_model=DryRunView, summary="Ask and do nothing")
def dry_run(services: Services, request: DryRunRequest, actor: Actor) -> Response:
    """About a bot's real candles, with its own or other settings. Waits for the answer."""
    return answer(services.ai.dry_run(request, actor))
