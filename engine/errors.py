"""Every error Quarterdeck raises on purpose, and what the engine does about it.

QuarterdeckError
|-- ConfigError            stop, tell the user: a setting or a form field is wrong
|   `-- Conflict           the request is sound but not now (name taken, bot running)
|-- NotFound               there is no such bot, symbol, strategy, market
|-- DataError              candles or prices are missing or wrong: retry at the next cycle
|   `-- SourceBusy         a source of candles may answer later, not before ``retry_after_s``
|-- StrategyError          the strategy's own code failed: three in a row fault its bot
|-- ModelError             a model did not answer as asked: nothing is opened on it
|   |-- ModelUnavailable   it or its provider cannot be reached, or answers too late
|   `-- ModelRateLimited   it asks for a pause of ``retry_after_s``
|-- ChannelError           an alert did not get through a channel
|   |-- ChannelRefused     the provider refuses for good: do not retry, tell the user
|   |-- ChannelBusy        nothing was sent: retry, not before ``retry_after_s``
|   `-- ChannelUnsure      it may have arrived: look it up, never send it again
|-- SignalRefused          a signal is not taken: its sender is told why, nothing follows
|-- SinkError              a time-series database does not take points: sent again later
|-- StoreError             the database refused: nothing was written, retry
|   `-- LeaseLost          another engine holds the data: stop at once
|-- BackupError            a backup is bad or was not made: all is as it was, tell the user
`-- BrokerError
    |-- OrderRejected      the venue refused for certain: do not retry
    |   |-- InsufficientFunds   retried at the next cycle, with a new decision
    |   `-- LimitReached        our own gateway refused: nothing was sent
    |-- AccessDenied       the venue refuses the key: halt the account, tell the user
    |-- BrokerUnavailable  nothing was sent: retry later, not before ``retry_after_s``
    `-- OrderStateUnknown  it may or may not have arrived: look it up before anything else
"""


class QuarterdeckError(Exception):
    """Base of all errors whose message is meant for a person.

    ``field`` names the input that is wrong, when one is.
    """

    code = "error"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class ConfigError(QuarterdeckError):
    """A setting or an input is wrong; nothing was changed."""

    code = "invalid"


class Conflict(ConfigError):
    """The request is sound but cannot be done in the present state."""

    code = "conflict"


class NotFound(QuarterdeckError):
    """There is no such thing."""

    code = "not_found"


class DataError(QuarterdeckError):
    """Market data is missing, late, or wrong. The next cycle tries again."""

    code = "data"


class SourceBusy(DataError):
    """A source of candles does not answer, or asks for a pause; the same may go well later."""

    code = "busy"

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StrategyError(QuarterdeckError):
    """A strategy's own code raised, hung or answered nonsense."""

    code = "strategy"


class ModelError(QuarterdeckError):
    """A model did not answer as it was asked to; nothing is opened on it."""

    code = "model"


class ModelUnavailable(ModelError):
    """The model or its provider cannot be reached, fails, or answers too late. ``may_cost``: the
    question went out and no answer says that it was refused, so it may be on the bill."""

    code = "model_unavailable"

    def __init__(self, message: str, *, may_cost: bool = False) -> None:
        super().__init__(message)
        self.may_cost = may_cost


class ModelRateLimited(ModelError):
    """The provider asks for a pause: the rate or the quota is used up."""

    code = "model_rate_limited"

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SignalRefused(QuarterdeckError):
    """What somebody sent is not taken. ``code`` names the reason, for programs; ``retry_after_s``
    is when the same may be taken."""

    code = "refused"

    def __init__(self, code: str, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_s = retry_after_s


class ChannelError(QuarterdeckError):
    """An alert did not get through a channel. ``answer`` is what its provider said, shortened."""

    code = "channel"

    def __init__(self, message: str, *, answer: str = "", field: str | None = None) -> None:
        super().__init__(message, field=field)
        self.answer = answer


class ChannelRefused(ChannelError):
    """The provider refuses this message for good; the sentence says what to do."""

    code = "channel_refused"


class ChannelBusy(ChannelError):
    """The provider cannot be reached, fails, or asks for a pause; nothing was sent."""

    code = "channel_busy"

    def __init__(self, message: str, *, answer: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(message, answer=answer)
        self.retry_after_s = retry_after_s


class ChannelUnsure(ChannelError):
    """The message went out and no answer says whether the provider took it."""

    code = "channel_unsure"


class SinkError(QuarterdeckError):
    """A time-series database does not take points; the same are sent again later."""

    code = "sink"

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreError(QuarterdeckError):
    """The database refused; the transaction was rolled back."""

    code = "store"


class LeaseLost(StoreError):
    """Another engine took over the database; this one must stop."""

    code = "lease"


class BackupError(QuarterdeckError):
    """A backup is damaged, or could not be made or restored; what there was is as it was."""

    code = "backup"


class BrokerError(QuarterdeckError):
    """Anything a venue answers that is not success."""

    code = "broker"


class OrderRejected(BrokerError):
    """The venue refused the order for certain; it is not sent again."""

    code = "rejected"


class InsufficientFunds(OrderRejected):
    """The account's free balance does not cover the order."""

    code = "insufficient_funds"


class LimitReached(OrderRejected):
    """A limit of the gateway forbids the order; no strategy can get around it."""

    code = "limit"


class AccessDenied(BrokerError):
    """The venue does not accept the account's key (any more); nothing was done."""

    code = "access_denied"


class BrokerUnavailable(BrokerError):
    """The venue could not be reached, or asks for a pause; nothing was sent."""

    code = "unavailable"

    def __init__(
        self, message: str, *, field: str | None = None, retry_after_s: float = 0.0
    ) -> None:
        super().__init__(message, field=field)
        self.retry_after_s = retry_after_s


class OrderStateUnknown(BrokerError):
    """The order was sent and no answer says what became of it."""

    code = "unknown"
