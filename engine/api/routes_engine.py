"""The engine itself: its health, kill switch, settings and stop."""

from anyio.to_thread import run_sync
from fastapi import Response

from engine.api.routing import API, Actor, Services, Urgent, new_router
from engine.api.wire import answer
from engine.contracts import (
    ControlRequest,
    EngineStats,
    Health,
    KillRequest,
    KillSwitch,
    LimitUsage,
    SettingsUpdate,
    SettingView,
)

router = new_router("engine", prefix="")


@router.get("/health", response_model=Health, summary="Is the engine alive?")
async def health(services: Services) -> Response:
    """The only call without a token; answered from memory."""
    return answer(services.health())


@router.get(f"{API}/kill", response_model=KillSwitch, summary="The kill switch")
async def kill_switch(services: Services, urgent: Urgent) -> Response:
    """The level in force, who set it and when."""
    return answer(await run_sync(services.kill_switch, limiter=urgent))


@router.post(f"{API}/kill", response_model=KillSwitch, summary="Set the kill switch")
async def set_kill_switch(
    request: KillRequest, services: Services, actor: Actor, urgent: Urgent
) -> Response:
    """Latches until it is released with ``none``."""
    return answer(await run_sync(services.set_kill_switch, request.level, actor, limiter=urgent))


@router.get(f"{API}/controls", response_model=list[KillSwitch], summary="Controls in force")
async def controls(services: Services, urgent: Urgent) -> Response:
    """On everything, accounts, bots and symbols."""
    return answer(await run_sync(services.list_controls, limiter=urgent))


@router.post(f"{API}/controls", response_model=KillSwitch, summary="Set a control")
async def set_control(
    request: ControlRequest, services: Services, actor: Actor, urgent: Urgent
) -> Response:
    """Latches until it is released with ``none``."""
    return answer(await run_sync(services.set_control, request, actor, limiter=urgent))


@router.get(f"{API}/limits", response_model=list[LimitUsage], summary="Limits and their use")
def limits(services: Services) -> Response:
    """Of the limits that are set; a bot that sent nothing has no row."""
    return answer(services.limit_usage())


@router.get(f"{API}/settings", response_model=list[SettingView], summary="Settings in force")
def settings(services: Services) -> Response:
    """Without secrets."""
    return answer(services.settings())


@router.put(f"{API}/settings", response_model=list[SettingView], summary="Change settings")
def update_settings(request: SettingsUpdate, services: Services, actor: Actor) -> Response:
    """All or nothing."""
    return answer(services.update_settings(request.values, actor))


@router.get(f"{API}/stats", response_model=EngineStats, summary="How late it is")
def stats(services: Services) -> Response:
    """Over the newest jobs and cycles."""
    return answer(services.stats())


@router.post(f"{API}/shutdown", status_code=202, summary="Stop the engine")
async def shutdown(services: Services, actor: Actor, urgent: Urgent) -> Response:
    """A graceful stop; bots and positions are taken up again at the next start."""
    await run_sync(services.request_shutdown, actor, limiter=urgent)
    return answer({"status": "stopping"}, 202)
