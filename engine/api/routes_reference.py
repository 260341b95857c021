"""What bots are made of: strategies, markets, symbols, accounts."""

from typing import Annotated

from fastapi import Query, Response

from engine.api.routing import Services, new_router
from engine.api.wire import answer
from engine.contracts import AccountView, MarketView, StrategyView, SymbolView

router = new_router("reference")


@router.get("/strategies", response_model=list[StrategyView], summary="The strategies folder")
def strategies(services: Services) -> Response:
    """Broken files are listed with their error."""
    return answer(services.strategies())


@router.get("/markets", response_model=list[MarketView], summary="Markets")
def markets(services: Services) -> Response:
    """Those a bot can be created on."""
    return answer(services.markets())


@router.get("/symbols", response_model=list[SymbolView], summary="Search a market's symbols")
def symbols(
    services: Services,
    market: Annotated[str, Query(min_length=1, max_length=500)],
    search: Annotated[str, Query(max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """Those that contain ``search``; all of them when it is empty."""
    return answer(services.symbols(market, search, limit))


@router.get("/accounts", response_model=list[AccountView], summary="Accounts and balances")
def accounts(services: Services) -> Response:
    """An account that does not answer carries its error."""
    return answer(services.accounts())
