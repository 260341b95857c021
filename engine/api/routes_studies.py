"""Studies: look ahead, start, follow, cancel, resume, make a bot; re-tuning of bots."""

from typing import Annotated

from fastapi import Path, Query, Response

from engine.api.routing import Actor, Services, new_router
from engine.api.wire import answer
from engine.contracts import BotView
from engine.contracts.studies import (
    Retune,
    RetuneSettings,
    Study,
    StudyBotRequest,
    StudyFilter,
    StudyPage,
    StudyPreviewView,
    StudyRequest,
    TrialFilter,
    TrialPage,
)

router = new_router("studies")

StudyId = Annotated[str, Path(max_length=64, description="a study's id")]
BotKey = Annotated[str, Path(max_length=64, description="a bot's id or name")]


@router.post("/studies/preview", response_model=StudyPreviewView,
             summary="What a study would do")  # fmt: skip
def preview(request: StudyRequest, services: Services) -> Response:
    """Validates everything, saves nothing; a market is not asked for candles."""
    return answer(services.studies.preview(request))


@router.post("/studies", response_model=Study, status_code=201, summary="Start a study")
def create(request: StudyRequest, services: Services, actor: Actor) -> Response:
    """It waits for its turn."""
    return answer(services.studies.create(request, actor), 201)


@router.get("/studies", response_model=StudyPage, summary="The studies there are")
def history(services: Services, chosen: Annotated[StudyFilter, Query()]) -> Response:
    """Newest first."""
    return answer(services.studies.page(chosen))


@router.get("/studies/{key}", response_model=Study, summary="One study")
def get(key: StudyId, services: Services) -> Response:
    """What it is doing; everything it found once it is done."""
    return answer(services.studies.get(key))


@router.get("/studies/{key}/trials", response_model=TrialPage, summary="A study's trials")
def trials(key: StudyId, services: Services, chosen: Annotated[TrialFilter, Query()]) -> Response:
    """Those so far, while it runs."""
    return answer(services.studies.trials(key, chosen))


@router.post("/studies/{key}/cancel", response_model=Study, summary="Cancel a study")
def cancel(key: StudyId, services: Services, actor: Actor) -> Response:
    """What was tried is kept; 409 when it has ended."""
    return answer(services.studies.cancel(key, actor))


@router.post("/studies/{key}/resume", response_model=Study, summary="Resume a study")
def resume(key: StudyId, services: Services, actor: Actor) -> Response:
    """It goes on where it was; 409 while it runs and when it is done."""
    return answer(services.studies.resume(key, actor))


@router.post("/studies/{key}/bot", response_model=BotView, status_code=201,
             summary="Make a paper bot of a study's winner")  # fmt: skip
def make_bot(key: StudyId, request: StudyBotRequest, services: Services, actor: Actor) -> Response:
    """With the study's terms and the best parameters; the new bot is stopped."""
    return answer(services.studies.make_bot(key, request, actor), 201)


@router.delete("/studies/{key}", status_code=204, summary="Delete a study")
def delete(key: StudyId, services: Services, actor: Actor) -> Response:
    """With its trials; 409 while it waits or runs."""
    services.studies.delete(key, actor)
    return Response(status_code=204)


@router.get("/bots/{key}/retune", response_model=Retune, summary="How a bot is tuned again")
def retune(key: BotKey, services: Services) -> Response:
    """Off where nothing was set."""
    return answer(services.studies.retune(key))


@router.put("/bots/{key}/retune", response_model=Retune, summary="Tune a bot again by itself")
def set_retune(key: BotKey, settings: RetuneSettings, services: Services, actor: Actor) -> Response:
    """On a schedule; what wins out of sample is applied while the bot is flat."""
    return answer(services.studies.set_retune(key, settings, actor))
