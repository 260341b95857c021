"""The heartbeat: for monitors outside, without a token and without details."""

from fastapi import Response

from engine.api.routing import Services, new_router
from engine.api.wire import answer
from engine.contracts.heartbeat import Heartbeat

router = new_router("heartbeat", prefix="")


@router.get(
    "/heartbeat", response_model=Heartbeat, summary="Is the engine well?",
    responses={503: {"model": Heartbeat, "description": "It is not; `reason` says why"}},
)  # fmt: skip
async def heartbeat(services: Services) -> Response:
    """200 while the scheduler beats and the database takes writes, else 503. No token is needed;
    answered from memory, on the event loop: an engine that hangs does not answer at all."""
    signs = services.vital_signs()
    beat = Heartbeat(
        status="ok" if signs.is_well else "unwell", beat_age_s=round(signs.beat_age_s, 3),
        write_age_s=round(signs.write_age_s, 3), reason=signs.reason,
    )  # fmt: skip
    return answer(beat, 200 if signs.is_well else 503)
