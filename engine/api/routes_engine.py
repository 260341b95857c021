"""The engine itself: its health, kill switch, settings and stop."""

from fastapi import Response

from engine.api.routing import API, Actor, Services, new_router
from engine.api.wire import answer
from engine.contracts import Health, KillRequest, KillSwitch, SettingsUpdate, SettingView

router = new_router("engine", prefix="")


@router.get("/health", response_model=Health, summary="Is the engine alive?")
def health(services: Services) -> Response:
    """The only call without a token."""
    return answer(services.health())


@router.get(f"{API}/kill", response_model=KillSwitch, summary="The kill switch")
def kill_switch(services: Services) -> Response:
    """The level in force, who set it and when."""
    return answer(services.kill_switch())


@router.post(f"{API}/kill", response_model=KillSwitch, summary="Set the kill switch")
def set_kill_switch(request: KillRequest, services: Services, actor: Actor) -> Response:
    """Latches until it is released with ``none``."""
    return answer(services.set_kill_switch(request.level, actor))


@router.get(f"{API}/settings", response_model=list[SettingView], summary="Settings in force")
def settings(services: Services) -> Response:
    """Without secrets."""
    return answer(services.settings())


@router.put(f"{API}/settings", response_model=list[SettingView], summary="Change settings")
def update_settings(request: SettingsUpdate, services: Services, actor: Actor) -> Response:
    """All or nothing."""
    return answer(services.update_settings(request.values, actor))


@router.post(f"{API}/shutdown", status_code=202, summary="Stop the engine")
def shutdown(services: Services, actor: Actor) -> Response:
    """A graceful stop; bots and positions are taken up again at the next start."""
    services.request_shutdown(actor)
    return answer({"status": "stopping"}, 202)
