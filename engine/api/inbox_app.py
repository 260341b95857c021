"""The inbox as an application of its own: for a port that a tunnel or a proxy may reach.

Only what senders need is there, so that nobody outside comes near the control of the engine.
"""

from fastapi import FastAPI

from engine import __version__
from engine.api import errors, routes_heartbeat, routes_inbox, routes_metatrader
from engine.api.auth import Gate
from engine.api.doorkeeper import Doorkeeper
from engine.api.scopes import RouteBook, routes_of
from engine.api.services import EngineServices

ROUTES = (routes_inbox, routes_metatrader, routes_heartbeat)


def create_inbox_app(services: EngineServices, token: str, rate_per_minute: int = 6_000) -> FastAPI:
    """Whatever name it is called by, and from wherever; all but the webhooks and
    the heartbeat demands a token."""
    app = FastAPI(
        title="Quarterdeck inbox", version=__version__, docs_url=None, redoc_url=None,
        openapi_url=None, redirect_slashes=False,
    )  # fmt: skip
    app.state.services = services
    app.add_middleware(routes_inbox.WebhookLane)
    door = Doorkeeper(services.tokens, token, rate_per_minute)
    routes = routes_of(module.router for module in ROUTES)
    app.add_middleware(Gate, door=door, routes=RouteBook(routes), is_local=False)
    errors.install(app)
    app.router.routes.extend(routes)  # as create_app does
    return app
