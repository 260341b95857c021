"""A small complete adapter: copy it, and replace what is the template's service by your vendor.

docs/adding-a-broker.md goes through it. It works as it stands, over a venue in memory, and the
contract suite runs over it (tests/contract/venues/template.py).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from engine.domain.accounts import Flow
from engine.domain.candles import Candles, empty_candles
from engine.domain.instruments import Instrument, InstrumentKind, Quote
from engine.domain.matching import form_trouble, objection
from engine.domain.money import to_epoch_ms
from engine.domain.orders import (
    Execution,
    OcoRequest,
    OrderReport,
    OrderRequest,
    OrderState,
    OrderType,
    Side,
)
from engine.domain.timeframes import timeframe_s
from engine.domain.venue_accounts import AccountCheck, Grade, Inspection, Mode
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    DataError,
    InsufficientFunds,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
    QuarterdeckError,
)
from engine.ports import (
    AccountAccess,
    Balance,
    BrokerCapabilities,
    SecretField,
    VenueAdapter,
    VenueConnection,
)

if TYPE_CHECKING:
    from engine.adapters.brokers.venues._template_service import Order, Service, Trade

NAME = "Template"
STATES = {"open": OrderState.OPEN, "done": OrderState.FILLED, "gone": OrderState.CANCELLED}
# The vendor's codes that say for certain that an order was refused. Whatever is not here leaves it
# in doubt, and it is looked up: list only what the vendor documents.
REFUSALS = {"no_funds": InsufficientFunds, "too_small": OrderRejected, "closed": OrderRejected}


class TemplateOptions(BaseModel):
    """The form asks for these; titles, descriptions and bounds make its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fee_bps: Decimal = Field(
        default=Decimal(10), ge=0, le=1000, title="Taker fee",
        description="in hundredths of a per cent, for previews",
    )  # fmt: skip


class TemplateMarket:
    """Implements ``MarketData``: prices and candles."""

    def __init__(self, market_id: str, service: "Service") -> None:
        self.market_id = market_id
        self._service = service

    def now(self) -> datetime:
        """The venue's time. Candles are closed by it, never by the machine's."""
        now: datetime = self._ask("time")
        return now

    def instruments(self) -> Sequence[Instrument]:
        """What can be traded, with the steps and minimums that the venue tells."""
        from engine.adapters.brokers.venues import _template_service as vendor

        return [
            Instrument(symbol=vendor.SYMBOL, base=vendor.BASE, quote=vendor.QUOTE,
                       price_tick=vendor.TICK, quantity_step=vendor.STEP,
                       min_notional=vendor.LEAST)
        ]  # fmt: skip

    def instrument(self, symbol: str) -> Instrument:
        """Raises NotFound."""
        found = next((one for one in self.instruments() if one.symbol == symbol), None)
        if found is None:
            raise NotFound(f"{NAME} has no symbol '{symbol}'.", field="symbol")
        return found

    def timeframes(self) -> Sequence[str]:
        """Shortest first."""
        return ["1m", "5m", "1h", "1d"]

    def candles(
        self, symbol: str, timeframe: str, *, limit: int, before: datetime | None = None
    ) -> Candles:
        """The newest closed candles. Raises NotFound, DataError."""
        self.instrument(symbol)
        length_ms = timeframe_s(timeframe) * 1000
        end_ms = to_epoch_ms(before or self.now()) // length_ms * length_ms
        return self._fetch(timeframe, end_ms - max(limit, 0) * length_ms, end_ms)

    def quote(self, symbol: str, *, seen_price: Decimal | None = None) -> Quote:
        """The price now. Raises NotFound, DataError."""
        from engine.adapters.brokers.venues._template_service import price_at

        self.instrument(symbol)
        now = self.now()
        price = price_at(now)
        return Quote(symbol=symbol, bid=price, ask=price, last=price, time=now)

    def bars_since(self, symbol: str, after: datetime) -> Candles:
        """The finest closed candles that opened at or after ``after``. Raises NotFound."""
        self.instrument(symbol)
        end_ms, minute_ms = to_epoch_ms(self.now()) // 60_000 * 60_000, 60_000
        return self._fetch("1m", -(-to_epoch_ms(after) // minute_ms) * minute_ms, end_ms)

    def _fetch(self, timeframe: str, start_ms: int, end_ms: int) -> Candles:
        length_s = timeframe_s(timeframe)
        count = (end_ms - start_ms) // (length_s * 1000)
        rows = self._ask("candles", length_s, start_ms // 1000, count) if count > 0 else []
        if not rows:
            return empty_candles(timeframe)
        table = np.array(rows, dtype=np.float64).T
        return Candles(timeframe, table[0].astype(np.int64) * 1000, *table[1:])

    def _ask(self, name: str, *arguments: Any) -> Any:
        """One question; the vendor's errors become ours."""
        from engine.adapters.brokers.venues._template_service import ServiceError

        try:
            return getattr(self._service, name)(*arguments)
        except (ServiceError, ConnectionError) as error:
            raise DataError(f"{NAME} does not answer: {error}.") from error


class TemplateBroker:
    """Implements ``Broker``. It keeps nothing: after a restart all is asked for."""

    def __init__(
        self, account_id: str, market: TemplateMarket, service: "Service", fee_bps: Decimal
    ) -> None:
        self.account_id = account_id
        self.capabilities = BrokerCapabilities(
            is_idempotent=True,  # only if the vendor promises it for ever
            fee_bps=fee_bps,
            quiet_period_s=15.0,  # how long a lost order can still turn up
            order_types=frozenset({OrderType.MARKET, OrderType.LIMIT}),
        )
        self._market = market
        self._service = service

    def balances(self) -> Mapping[str, Balance]:
        """By asset. Raises BrokerUnavailable, AccessDenied."""
        return {
            asset: Balance(asset=asset, free=total - locked, locked=locked)
            for asset, (total, locked) in self._ask("account").items()
        }

    def submit(self, request: OrderRequest) -> OrderReport:
        """Send one order, once: no SDK may repeat it. Raises as the port says."""
        self._check(request)
        order = self._ask(
            "place", request.client_id, is_order=True, is_buy=request.side is Side.BUY,
            quantity=request.quantity, limit=request.price,
        )  # fmt: skip
        return self._report(order, request.symbol)

    def submit_oco(self, request: OcoRequest) -> tuple[OrderReport, OrderReport]:
        """Refused: ``has_oco`` is not among the capabilities."""
        raise OrderRejected(f"{NAME} takes no pairs of orders.")

    def cancel(self, client_id: str, symbol: str) -> OrderReport:
        """Cancel what is left; an order already done is reported as it is. Raises NotFound."""
        return self._report(self._ask("cancel", client_id), symbol)

    def find_order(self, client_id: str, symbol: str) -> OrderReport | None:
        """None only when the venue says that there is none."""
        try:
            return self._report(self._ask("order", client_id), symbol)
        except NotFound:
            return None

    def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        """All that work, whoever placed them."""
        [listed] = self._market.instruments()
        orders = self._ask("open_orders") if symbol in (None, listed.symbol) else []
        return [self._report(order, listed.symbol) for order in orders]

    def executions(self, symbol: str, since: datetime) -> Sequence[Execution]:
        """The account's trades at or after ``since``, oldest first."""
        quote = self._market.instrument(symbol).quote
        trades = [one for one in self._ask("trades") if one.time >= since]
        return [_execution(one, symbol, quote) for one in trades]

    def flows(self, since: datetime) -> Sequence[Flow]:
        """Deposits and the like, if the venue lists them."""
        return ()

    def _check(self, request: OrderRequest) -> None:
        """What is surely refused is not sent. Raises OrderRejected."""
        trouble = form_trouble(request)
        if trouble is not None:
            raise OrderRejected(trouble[0], field=trouble[1])
        if request.quantity is None or request.type not in self.capabilities.order_types:
            raise OrderRejected(f"{NAME} takes market and limit orders of a quantity.")
        if request.time_in_force not in self.capabilities.times_in_force:
            raise OrderRejected(f"{NAME} takes no orders '{request.time_in_force.value}'.")
        try:
            instrument = self._market.instrument(request.symbol)
            price = request.price or self._market.quote(request.symbol).last
        except NotFound as error:
            raise OrderRejected(error.message, field="symbol") from error
        except DataError as error:
            raise BrokerUnavailable(f"{request.symbol} was not sent: {error.message}") from error
        sized = request.model_copy(update={"reduce_only": False})  # small exits are refused too
        reason = objection(sized, instrument, request.quantity, price)
        if reason is not None:
            raise OrderRejected(f"{request.symbol}: {reason}.")

    def _report(self, order: "Order", symbol: str) -> OrderReport:
        quote = self._market.instrument(symbol).quote
        state = STATES[order.status]
        if state is OrderState.OPEN and order.trades:
            state = OrderState.PARTLY_FILLED
        return OrderReport(
            client_id=order.client_id, venue_id=order.id, symbol=symbol,
            side=Side.BUY if order.is_buy else Side.SELL, state=state, quantity=order.quantity,
            filled=order.filled,
            fills=tuple(_execution(one, symbol, quote).fill for one in order.trades),
            type=OrderType.MARKET if order.limit is None else OrderType.LIMIT,
            price=order.limit, created_at=order.time,
        )  # fmt: skip

    def _ask(self, name: str, *arguments: Any, is_order: bool = False, **named: Any) -> Any:
        """One request; the vendor's errors become ours, an order's doubt first of all."""
        from engine.adapters.brokers.venues._template_service import ServiceError

        try:
            return getattr(self._service, name)(*arguments, **named)
        except ConnectionError as error:  # yours: only what surely happens before sending
            raise BrokerUnavailable(f"{NAME}: {error}; nothing was sent.") from error
        except ServiceError as error:
            if error.code == "bad_key":
                raise AccessDenied(f"{NAME} does not accept the key: {error}.") from error
            if error.code == "no_order":
                raise NotFound(f"{NAME}: {error}.") from error
            if is_order and error.code in REFUSALS:
                raise REFUSALS[error.code](f"{NAME}: {error}.") from error
            doubt = OrderStateUnknown if is_order else BrokerUnavailable
            raise doubt(f"{NAME} did not say: {error}.") from error


def _execution(trade: "Trade", symbol: str, quote: str) -> Execution:
    """A trade, under an id that is unique within the account."""
    return Execution(
        trade_id=trade.id, price=trade.price, quantity=trade.quantity, fee=trade.fee,
        fee_asset=quote, time=trade.time, symbol=symbol,
        side=Side.BUY if trade.order.is_buy else Side.SELL, venue_id=trade.order.id,
        client_id=trade.order.client_id,
    )  # fmt: skip


def inspect(broker: TemplateBroker) -> Inspection:
    """What the account form shows after 'Test': each thing that was looked at."""
    try:
        held = broker.balances()
    except QuarterdeckError as error:
        failed = AccountCheck(
            name="Key", grade=Grade.FAILED, detail=error.message, advice="Type the key in again."
        )
        return Inspection(checks=(failed,))
    return Inspection(
        checks=(AccountCheck(name="Key", grade=Grade.OK, detail="The account answers."),),
        balances={asset: one.total for asset, one in held.items()},
        can_withdraw=False,
        clock_skew_s=0.0,
    )


def _open(access: AccountAccess) -> VenueConnection:
    """Connects to nothing yet; the SDK is imported here and not above: all venues are listed
    whenever the form is shown."""
    from engine.adapters.brokers.venues._template_service import connect

    options = TemplateOptions.model_validate(access.options.model_dump())
    service = connect(access.secrets["key"], access.clock)
    market = TemplateMarket(access.market_id, service)
    broker = TemplateBroker(access.account_id, market, service, options.fee_bps)
    return VenueConnection(market, broker, lambda: inspect(broker))


ADAPTER = VenueAdapter(
    id="template",
    title="Template",
    summary="A venue in memory.",
    kinds=(InstrumentKind.CRYPTO,),
    modes=(Mode.TEST,),
    options=TemplateOptions,
    secrets=(SecretField("key", "API key", "whatever you like"),),
    open=_open,
)
