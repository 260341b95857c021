"""Signals from outside: what somebody sent, what it means, and what became of it."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import UtcDatetime
from engine.domain.positions import PositionSide

Price = Annotated[Decimal, Field(gt=0, le=Decimal("1e12"), max_digits=30)]
Percent = Annotated[Decimal, Field(gt=0, le=1_000, max_digits=30)]


class SignalSource(StrEnum):
    """Who speaks."""

    TRADINGVIEW = "tradingview"
    WEBHOOK = "webhook"
    METATRADER = "metatrader"
    PANEL = "panel"


class SignalKind(StrEnum):
    """What it is about: something to do, prices of a market, or what became of an order."""

    ORDER = "order"
    PRICES = "prices"
    EXECUTION = "execution"


class SignalState(StrEnum):
    """What became of a signal.

    ``received``: committed, nothing decided yet. ``acted``: orders followed, or its prices were
    taken up. ``held``: understood, and nothing follows (the outcome says why). ``refused``: it
    could not be understood or was not allowed. ``expired``: it was too old when its turn came.
    """

    RECEIVED = "received"
    ACTED = "acted"
    HELD = "held"
    REFUSED = "refused"
    EXPIRED = "expired"


class SignalAction(StrEnum):
    """What a signal asks for.

    ``open`` opens when flat, ``add`` adds to a position of its side, ``close`` closes (a part of)
    the position of its side, ``reverse`` closes the other side and opens its own, ``flat`` closes
    whatever there is.
    """

    OPEN = "open"
    ADD = "add"
    CLOSE = "close"
    REVERSE = "reverse"
    FLAT = "flat"


class QuantityKind(StrEnum):
    """What a signal's quantity counts: quote money, units of the base, or percent (0 to 100)."""

    AMOUNT = "amount"
    UNITS = "units"
    PERCENT_OF_EQUITY = "percent_of_equity"
    PERCENT_OF_POSITION = "percent_of_position"


class Expected(StrEnum):
    """The position that a sender believes the bot to have."""

    FLAT = "flat"
    LONG = "long"
    SHORT = "short"


class SignalOrder(BaseModel):
    """What a signal wants done, once it is understood. ``quantity`` None: the bot's stake, or all
    of the position."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: SignalAction
    side: PositionSide | None = Field(
        default=None, description="None for flat, and for the close of whatever there is"
    )
    symbol: str = Field(default="", max_length=60, description="as the sender calls it")
    quantity: Annotated[Decimal, Field(gt=0, le=Decimal("1e12"), max_digits=30)] | None = None
    quantity_kind: QuantityKind = QuantityKind.AMOUNT
    price: Price | None = Field(default=None, description="what the sender saw")
    stop_price: Price | None = None
    target_price: Price | None = None
    stop_percent: Percent | None = Field(default=None, description="of the price when acted on")
    target_percent: Percent | None = Field(default=None, description="of the price when acted on")
    expected: Expected | None = None
    comment: str = Field(default="", max_length=500)


class Signature(StrEnum):
    """How a sender proves that a body is its own, beside knowing the address.

    ``hmac``: ``X-Signature``, the hexadecimal HMAC-SHA256 of the body. ``standard``: the headers
    of Standard Webhooks (webhook-id, webhook-timestamp, webhook-signature).
    """

    NONE = "none"
    HMAC = "hmac"
    STANDARD = "standard"


class SignalConfig(BaseModel):
    """How a bot listens to signals from outside; a bot without it listens to none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signature: Signature = Field(default=Signature.NONE, title="Signature")
    is_tradingview_only: bool = Field(
        default=False, title="Only from TradingView's addresses",
        description="needs the address of a proxy that is trusted to tell who sent it",
    )  # fmt: skip
    max_lag_s: int = Field(
        default=60, ge=1, le=86_400, title="Longest lag (seconds)",
        description="a signal that is older when it is acted on opens nothing",
    )  # fmt: skip
    rate_per_minute: int = Field(
        default=60, ge=1, le=100_000, title="Signals a minute", description="more are refused"
    )
    same_within_s: int = Field(
        default=60, ge=0, le=86_400, title="The same again within (seconds)",
        description="an equal body without an id or a time of its own counts as one signal",
    )  # fmt: skip
    expect_every_s: Annotated[int, Field(ge=10, le=31_536_000)] | None = Field(
        default=None, title="Expect a signal every (seconds)",
        description="an alert when none came for so long; empty: none is expected",
    )  # fmt: skip


class Listener(BaseModel):
    """A bot's address for signals. The key is found by its digest; key and signing secret are
    kept sealed, because the user needs them again."""

    model_config = ConfigDict(frozen=True)

    bot_id: str
    key_digest: str
    sealed_key: str
    sealed_secret: str
    created_at: UtcDatetime
    last_signal_at: UtcDatetime | None = None
    missed_since: UtcDatetime | None = Field(
        default=None, description="since when an expected signal is missing; None: it is not"
    )


class Signal(BaseModel):
    """One row of the inbox: everything about a signal, from the raw body to the orders.

    ``sender`` is whose it is (a bot's id for webhooks, ``<account>`` for MetaTrader), ``digest``
    what makes it the same signal again; ``copies`` counts further deliveries of it.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    source: SignalSource
    kind: SignalKind = SignalKind.ORDER
    sender: str
    digest: str
    bot_id: str | None = None
    state: SignalState = SignalState.RECEIVED
    outcome: str = ""
    received_at: UtcDatetime
    sent_at: UtcDatetime | None = Field(default=None, description="as the sender says")
    acted_at: UtcDatetime | None = None
    address: str = ""
    content_type: str = ""
    body: str
    order: SignalOrder | None = None
    decision_id: str = ""
    order_ids: tuple[str, ...] = ()
    copies: int = 0
    replay_of: str = ""
