"""The FastAPI application over the engine's services."""

from anyio import CapacityLimiter
from fastapi import FastAPI

from engine import __version__
from engine.api import (
    errors,
    routes_accounts,
    routes_backtests,
    routes_books,
    routes_bots,
    routes_candles,
    routes_engine,
    routes_inbox,
    routes_market_data,
    routes_performance,
    routes_reference,
    routes_rules,
    routes_signals,
    routes_studies,
    routes_venue_accounts,
)
from engine.api.auth import Gate
from engine.api.services import EngineServices
from engine.errors import ConfigError

URGENT_THREADS = 4
ROUTES = (
    routes_engine, routes_bots, routes_accounts, routes_books, routes_performance, routes_reference,
    routes_candles, routes_rules, routes_backtests, routes_studies, routes_market_data,
    routes_venue_accounts, routes_signals, routes_inbox,
)  # fmt: skip


def create_app(services: EngineServices, token: str) -> FastAPI:
    """The API of docs/api.md. Everything but ``/health`` demands ``token``.
    Raises ConfigError without one.

    The pages of FastAPI that draw the documentation load scripts from the internet, so only the
    OpenAPI document itself is served, behind the token like the rest.
    """
    if not token:
        raise ConfigError("The API needs a token.")
    app = FastAPI(
        title="Quarterdeck engine",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    app.state.urgent = CapacityLimiter(URGENT_THREADS)
    app.add_middleware(routes_inbox.WebhookLane)
    app.add_middleware(Gate, token=token)
    errors.install(app)
    for routes in ROUTES:
        app.include_router(routes.router)
    return app
