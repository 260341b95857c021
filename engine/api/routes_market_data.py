"""What is known of the candles that bots decide on."""

from fastapi import Response

from engine.api.routing import Services, new_router
from engine.api.wire import answer
from engine.contracts.market_data import FeedView

router = new_router("market-data")


@router.get("/market-data", response_model=list[FeedView], summary="Feeds of candles")
def feeds(services: Services) -> Response:
    """One a market, symbol and timeframe, those in trouble first; no venue is asked."""
    return answer(services.market_data.feeds())
