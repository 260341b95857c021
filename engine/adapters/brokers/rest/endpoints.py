"""The questions of a description: what is sent for each, and where its answer has what."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from engine.adapters.brokers.rest.signatures import Part, TimeFormat, check_names
from engine.adapters.brokers.rest.words import HERE, PathField, Template, TemplateField
from engine.domain.timeframes import SECONDS

OF_SYMBOL = frozenset({"symbol", "base", "quote"})


class Endpoint(Part):
    """One question: how it is sent. ``KNOWN`` may be used in it, ``ALWAYS`` in its path too."""

    KNOWN: ClassVar[frozenset[str]] = frozenset()
    ALWAYS: ClassVar[frozenset[str]] = frozenset()

    method: Literal["GET", "POST", "PUT", "DELETE"] = "GET"
    path: TemplateField = Field(description="after the address, as in /v1/orders/{client_id}")
    query: dict[str, TemplateField] = Field(
        default_factory=dict, description="parameters of the address"
    )
    body: dict[str, TemplateField] = Field(default_factory=dict, description="fields of the body")
    body_form: Literal["json", "form"] = "json"
    times: TimeFormat | None = Field(default=None, description="if here it is another one")

    @model_validator(mode="after")
    def _check(self) -> Any:
        if not isinstance(self.path.source, str) or not self.path.source.startswith("/"):
            raise ValueError(f"the path '{self.path.source}' has to begin with '/'")
        if any(mark in self.path.source for mark in "?#") or "//" in self.path.source:
            raise ValueError(
                f"the path '{self.path.source}' has a '?', '#' or '//' in it; what comes after a "
                "'?' belongs under query"
            )
        check_names(self.path, self.ALWAYS, "path")
        for where in ("query", "body"):
            for name, template in getattr(self, where).items():
                check_names(template, self.KNOWN, f"{where}.{name}")
        if self.body and self.method == "GET":
            raise ValueError("a GET has no body; put it under query, or say method: POST")
        return self

    def uses(self, name: str) -> bool:
        """Whether a placeholder is in it."""
        templates = (self.path, *self.query.values(), *self.body.values())
        return any(name in one.names for one in templates)


class TimeFields(Part):
    """Where the answer has the platform's time."""

    time: PathField = Field(description="the platform's time")


class TimeEndpoint(Endpoint):
    """The platform's clock."""

    fields: TimeFields


class InstrumentFields(Part):
    """Where a row has the rules of one symbol."""

    code: PathField = Field(description="what the platform calls it in requests")
    base: PathField = Field(description="what is bought, as in BTC")
    quote: PathField = Field(description="what it is paid in, as in USDT")
    name: PathField | None = None
    price_tick: PathField = Field(description="the smallest step of a price")
    quantity_step: PathField = Field(description="the smallest step of a quantity")
    min_quantity: PathField | None = None
    min_notional: PathField | None = None
    is_active: PathField | None = Field(
        default=None, description="true or false, as in: status == 'trading'"
    )


class InstrumentsEndpoint(Endpoint):
    """All that can be traded. ``steps``: ``digits`` counts decimals where others give the step."""

    rows: PathField = Field(description="the list in the answer; '@' when it is the answer itself")
    symbol: TemplateField = Field(
        default=Template("{base}/{quote}"), description="how Quarterdeck shall call it"
    )
    steps: Literal["size", "digits"] = "size"
    fields: InstrumentFields

    @model_validator(mode="after")
    def _check_symbol(self) -> Any:
        check_names(self.symbol, frozenset({"code", "base", "quote"}), "symbol")
        if not self.symbol.names & {"code", "base"}:
            raise ValueError("symbol needs '{code}' or '{base}', or all would be called the same")
        return self


class CandleFields(Part):
    """Where a row has one candle."""

    time: PathField = Field(description="when it opened")
    open: PathField = Field(description="its first price")
    high: PathField = Field(description="its highest price")
    low: PathField = Field(description="its lowest price")
    close: PathField = Field(description="its last price")
    volume: PathField = Field(description="base traded in it")


class CandlesEndpoint(Endpoint):
    """Past candles, of which one answer has at most ``page``; {start} and {end} are times."""

    KNOWN = OF_SYMBOL | {"timeframe", "start", "end", "limit"}
    ALWAYS = OF_SYMBOL | {"timeframe"}

    rows: PathField = Field(description="the list in the answer; '@' when it is the answer itself")
    timeframes: dict[str, TemplateField] = Field(
        min_length=1, description="what the platform calls each length, as in 1m: '60'"
    )
    page: int = Field(default=100, ge=1, le=10_000, description="the most rows of one answer")
    fields: CandleFields

    @model_validator(mode="after")
    def _check_rows(self) -> Any:
        unknown = [name for name in self.timeframes if name not in SECONDS]
        if unknown:
            raise ValueError(
                f"timeframes has '{unknown[0]}', which is no length; there are {', '.join(SECONDS)}"
            )
        if not self.uses("start"):
            raise ValueError(
                "candles cannot be asked for from a time on: put '{start}' into the query"
            )
        return self


class QuoteFields(Part):
    """Where the answer has the price of one symbol."""

    bid: PathField = Field(description="the best price that buyers offer")
    ask: PathField = Field(description="the best price that sellers offer")
    last: PathField = Field(description="the price of the last trade")
    time: PathField | None = None


class QuoteEndpoint(Endpoint):
    """The price of one symbol now."""

    KNOWN = ALWAYS = OF_SYMBOL

    row: PathField = HERE
    fields: QuoteFields


class BalanceFields(Part):
    """Where a row has what is held of one asset: ``free``, and ``locked`` or ``total``."""

    asset: PathField = Field(description="its name, as in BTC")
    free: PathField = Field(description="what can be used")
    locked: PathField | None = Field(default=None, description="what orders have set aside")
    total: PathField | None = Field(default=None, description="free and locked together")

    @model_validator(mode="after")
    def _one_of_two(self) -> Any:
        if (self.locked is None) == (self.total is None):
            raise ValueError("besides free it needs locked or total, one of the two")
        return self


class BalancesEndpoint(Endpoint):
    """What the account holds."""

    rows: PathField = Field(description="the list in the answer; '@' when it is the answer itself")
    fields: BalanceFields


class OrderFields(Part):
    """Where an answer has what of an order; the same in all answers with orders."""

    client_id: PathField = Field(description="our id, as it was sent")
    venue_id: PathField = Field(description="the platform's own id")
    symbol: PathField = Field(description="the platform's name of the symbol")
    side: PathField = Field(description="a word of words.sides")
    type: PathField = Field(description="a word of words.types")
    state: PathField = Field(description="a word of words.states")
    quantity: PathField = Field(description="what was ordered, in base")
    filled: PathField = Field(description="how much of it was traded")
    price: PathField | None = Field(default=None, description="the limit")
    stop_price: PathField | None = Field(default=None, description="the trigger")
    created_at: PathField | None = Field(default=None, description="when it was taken")
    reason: PathField | None = Field(default=None, description="why it ended")


class PlaceEndpoint(Endpoint):
    """A new order. ``row`` is where the answer has it; without one it is looked up afterwards."""

    KNOWN = OF_SYMBOL | {
        "client_id", "side", "type", "quantity", "price", "stop_price", "time_in_force",
    }  # fmt: skip
    ALWAYS = OF_SYMBOL

    row: PathField | None = None

    @model_validator(mode="after")
    def _check_needs(self) -> Any:
        if self.method == "GET":
            raise ValueError("an order is not a GET; say method: POST")
        for name in ("client_id", "symbol", "side", "quantity"):
            if not self.uses(name):
                raise ValueError(
                    f"'{{{name}}}' is sent nowhere: put it into the body, or no order could be "
                    "told from another"
                )
        return self


class FindOrderEndpoint(Endpoint):
    """One order by our id, ended ones too; ``rows`` may be a list of which ours is picked."""

    KNOWN = ALWAYS = OF_SYMBOL | {"client_id"}

    rows: PathField = HERE


class OpenOrdersEndpoint(Endpoint):
    """All orders that work; without a symbol, whatever has {symbol} in it is left out."""

    KNOWN = OF_SYMBOL

    rows: PathField = Field(description="the list in the answer; '@' when it is the answer itself")


class CancelEndpoint(Endpoint):
    """Take an order back; it is looked up afterwards."""

    KNOWN = ALWAYS = OF_SYMBOL | {"client_id", "venue_id"}

    @model_validator(mode="after")
    def _check_names_one(self) -> Any:
        if self.method == "GET":
            raise ValueError("a cancellation is not a GET; say method: DELETE or POST")
        if not (self.uses("client_id") or self.uses("venue_id")):
            raise ValueError("it does not say which order: use '{client_id}' or '{venue_id}'")
        return self


class ExecutionFields(Part):
    """Where a row has one trade of the account."""

    trade_id: PathField = Field(description="unique within the account and symbol")
    venue_id: PathField = Field(description="the platform's id of its order")
    side: PathField = Field(description="a word of words.sides")
    price: PathField = Field(description="what it was traded at")
    quantity: PathField = Field(description="how much, in base")
    fee: PathField | None = Field(default=None, description="0 where there is none")
    fee_asset: PathField | None = Field(default=None, description="by default the quote")
    time: PathField = Field(description="when it was traded")
    client_id: PathField | None = None


class ExecutionsEndpoint(Endpoint):
    """The account's trades in a symbol, of which one answer has at most ``page``.

    {since} and {until} are times and {venue_id} is an order's id; each is left out when it is not
    asked for. With {until} pages are read from the newest back, without it from the oldest on.
    """

    KNOWN = OF_SYMBOL | {"since", "until", "venue_id", "limit"}
    ALWAYS = OF_SYMBOL

    rows: PathField = Field(description="the list in the answer; '@' when it is the answer itself")
    page: int = Field(default=100, ge=2, le=10_000, description="the most rows of one answer")
    fields: ExecutionFields

    @model_validator(mode="after")
    def _check_since(self) -> Any:
        if not self.uses("since"):
            raise ValueError(
                "trades cannot be asked for from a time on: put '{since}' into the query"
            )
        return self


class PermissionFields(Part):
    """Where the answer says what the key may do: true or false each."""

    can_trade: PathField | None = Field(default=None, description="as in: permissions.trade")
    can_withdraw: PathField | None = Field(default=None, description="as in: permissions.withdraw")


class PermissionsEndpoint(Endpoint):
    """What the key may do."""

    fields: PermissionFields


class Endpoints(Part):
    """All questions. The first four are public, the others are signed."""

    time: TimeEndpoint | None = Field(default=None, description="the platform's clock")
    instruments: InstrumentsEndpoint = Field(description="what can be traded")
    candles: CandlesEndpoint = Field(description="past candles")
    quote: QuoteEndpoint = Field(description="the price now")
    balances: BalancesEndpoint = Field(description="what the account holds")
    positions: BalancesEndpoint | None = Field(
        default=None, description="what it holds of symbols, where balances are cash only"
    )
    place: PlaceEndpoint = Field(description="a new order")
    find_order: FindOrderEndpoint = Field(description="an order by our id")
    open_orders: OpenOrdersEndpoint = Field(description="all orders that work")
    cancel: CancelEndpoint = Field(description="take an order back")
    executions: ExecutionsEndpoint = Field(description="the account's trades")
    permissions: PermissionsEndpoint | None = Field(default=None, description="what the key may do")
