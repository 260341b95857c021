"""Markets as the form offers them."""

from collections.abc import Sequence

from engine.api.market_words import CCXT_TIMEFRAMES, MARKET_WORDS, MODE_WORDS
from engine.contracts import MarketView
from engine.domain.venue_accounts import Mode, mode_of
from engine.errors import NotFound, QuarterdeckError
from engine.ports import Venues
from engine.services.connections import Connections

ADDED = frozenset({"account", "prices"})
"""Kinds of markets whose id names an account that a person added."""


def market_views(venues: Venues, connections: Connections) -> Sequence[MarketView]:
    """All that are offered; one that cannot be opened carries its error."""
    return [_view(market_id, venues, connections) for market_id in venues.market_ids()]


def _view(market_id: str, venues: Venues, connections: Connections) -> MarketView:
    view = _words(market_id, venues, connections)
    if market_id.partition(":")[0] in ("ccxt", "testnet"):
        # Not asked here: a form must open at once, with the exchange down too.
        return view.model_copy(update={"timeframes": CCXT_TIMEFRAMES})
    try:
        timeframes = tuple(venues.market(market_id, "form").timeframes())
    except QuarterdeckError as error:
        return view.model_copy(update={"error": error.message})
    finally:
        venues.forget("form")
    return view.model_copy(update={"timeframes": timeframes})


def _words(market_id: str, venues: Venues, connections: Connections) -> MarketView:
    kind, _, rest = market_id.partition(":")
    if kind in ADDED:
        return _words_of_account(market_id, connections)
    title, description = MARKET_WORDS[kind]
    shown = "" if kind == "testnet" else rest.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]
    mode = mode_of(venues.account_of(market_id, "form"))
    return MarketView(id=market_id, title=f"{title} {shown}".strip(), description=description,
                      timeframes=(), mode=mode)  # fmt: skip


def _words_of_account(market_id: str, connections: Connections) -> MarketView:
    try:
        account = connections.account(market_id.partition(":")[2])
        venue = connections.adapter(account.venue).title
    except NotFound as error:  # deleted meanwhile, or its venue's file is gone
        return MarketView(id=market_id, title=market_id, description="", timeframes=(),
                          error=error.message)  # fmt: skip
    is_own = market_id == account.market_id
    mode = account.mode if is_own else Mode.PAPER
    title = account.name if is_own else f"Paper at the prices of {account.name}"
    return MarketView(
        id=market_id, title=title, description=f"{venue}, {MODE_WORDS[mode]}", timeframes=(),
        mode=mode.value, account=account.name, venue=venue,
    )  # fmt: skip
