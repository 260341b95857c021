"""The inbox as an application of its own: for a port that a tunnel or a proxy may reach.

Only what senders need is there, so that nobody outside comes near the control of the engine.
"""

from fastapi import FastAPI

from engine import __version__
from engine.api import errors, routes_inbox
from engine.api.auth import Gate
from engine.api.services import EngineServices

ROUTES = (routes_inbox,)


def create_inbox_app(services: EngineServices, token: str) -> FastAPI:
    """Whatever name it is called by, and from wherever; all but the webhooks demands a token."""
    app = FastAPI(
        title="Quarterdeck inbox", version=__version__, docs_url=None, redoc_url=None,
        openapi_url=None, redirect_slashes=False,
    )  # fmt: skip
    app.state.services = services
    app.add_middleware(routes_inbox.WebhookLane)
    app.add_middleware(Gate, token=token, is_local=False)
    errors.install(app)
    for routes in ROUTES:
        app.include_router(routes.router)
    return app
