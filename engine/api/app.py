"""The FastAPI application over the engine's services."""

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.routing import APIRoute

from engine import __version__
from engine.api import (
    errors,
    routes_accounts,
    routes_ai,
    routes_alerts,
    routes_backtests,
    routes_backups,
    routes_books,
    routes_bots,
    routes_candles,
    routes_channels,
    routes_diagnostics,
    routes_engine,
    routes_heartbeat,
    routes_inbox,
    routes_market_data,
    routes_messages,
    routes_metatrader,
    routes_monitoring,
    routes_news,
    routes_performance,
    routes_reference,
    routes_rules,
    routes_signals,
    routes_stream,
    routes_studies,
    routes_thin,
    routes_tokens,
    routes_venue_accounts,
)
from engine.api.auth import Gate
from engine.api.doorkeeper import Doorkeeper
from engine.api.openapi import describe
from engine.api.scopes import RouteBook, routes_of
from engine.api.services import EngineServices
from engine.errors import ConfigError

URGENT_THREADS = 4
ROUTES = (
    routes_engine, routes_bots, routes_accounts, routes_books, routes_performance, routes_reference,
    routes_messages, routes_diagnostics, routes_heartbeat,
    routes_candles, routes_rules, routes_backtests, routes_studies, routes_market_data,
    routes_venue_accounts, routes_signals, routes_inbox, routes_metatrader, routes_news,
    routes_ai, routes_tokens, routes_alerts, routes_channels, routes_thin, routes_stream,
    routes_monitoring, routes_backups,
)  # fmt: skip


def create_app(services: EngineServices, token: str, rate_per_minute: int = 6_000) -> FastAPI:
    """The API of docs/api.md. Everything but ``/health`` and ``/heartbeat`` demands a token:
    ``token``, that of the token file, may do all, ``rate_per_minute`` times a minute. Raises
    ConfigError without one.

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
    door = Doorkeeper(services.tokens, token, rate_per_minute)
    routes = all_routes()
    app.add_middleware(Gate, door=door, routes=RouteBook(routes))
    errors.install(app)
    # include_router would build each of them again, half a second's work of the first requests.
    app.router.routes.extend(routes)
    describe(app, routes)
    return app


def all_routes() -> list[APIRoute]:
    """Every route there is, in the order in which the router looks."""
    return routes_of(routes.router for routes in ROUTES)
