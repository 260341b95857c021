"""Probes of what the engine depends on: brokers, channels of alerts, models."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.domain.accounts import AccountHealth
from engine.domain.alerts import Channel, Delivery, DeliveryState
from engine.domain.api_usage import ApiUsage
from engine.domain.diagnostics import Area, Check, check_of, judge_skew, judge_usage
from engine.domain.venue_accounts import Grade, VenueAccount
from engine.errors import ChannelError
from engine.ports import Notifier, Store
from engine.services.books import Books
from engine.services.diagnose import Probe
from engine.services.last_tries import find_ended, last_error

ACTOR = "diagnostics"


@dataclass(frozen=True)
class BrokerProbes:
    """Every account: what its last test found, or a new one; how much of its allowances is used.

    ``test`` tests an account and keeps what it found; ``usage`` is by the account's id.
    """

    books: Books
    test: Callable[[str, str], VenueAccount]
    usage: Callable[[str], Sequence[ApiUsage]]

    def __call__(self, is_deep: bool) -> Iterable[Probe]:
        """A deep look tests each account at its venue."""
        accounts = list(self.books.venue_accounts.values())
        if not accounts:
            yield Probe(Area.BROKERS, "Accounts", _no_account)
        for account in accounts:
            look = self._tested if is_deep else self._known
            yield Probe(Area.BROKERS, account.name, lambda look=look, one=account: look(one))  # type: ignore[misc]

    def _tested(self, account: VenueAccount) -> Iterator[Check]:
        return self._known(self.test(account.id, ACTOR))

    def _known(self, account: VenueAccount) -> Iterator[Check]:
        objection = self.books.account_objection(account.trading_id)
        health = self.books.accounts.get(account.trading_id)
        is_denied = health is not None and health.health is AccountHealth.DENIED
        grade = Grade.OK if objection is None else Grade.FAILED if is_denied else Grade.WARNING
        yield check_of(
            Area.BROKERS, account.name, grade, objection or "takes entries",
            "The Accounts page says more; exits go on as far as the venue takes them.",
        )  # fmt: skip
        inspection = account.inspection
        if inspection is not None:
            for check in inspection.checks:
                name = f"{account.name}: {check.name}"
                yield check_of(Area.BROKERS, name, check.grade, check.detail, check.advice)
            if inspection.clock_skew_s is not None:
                name = f"{account.name}: our clock"
                yield judge_skew(Area.BROKERS, name, inspection.clock_skew_s)
        for used in self.usage(account.id):
            name = f"{account.name}: {used.name}"
            yield judge_usage(Area.BROKERS, name, used.used, used.limit)


def _no_account() -> Iterator[Check]:
    yield check_of(Area.BROKERS, "Accounts", Grade.OK, "none: bots trade on paper")


@dataclass(frozen=True)
class ChannelProbes:
    """Every channel: how its last message went or, in a deep look, what its provider says of the
    credentials."""

    store: Store
    open: Callable[[Channel], Notifier]

    def __call__(self, is_deep: bool) -> Iterable[Probe]:
        """A deep look asks each provider; it sends nothing."""
        with self.store.reading() as tx:
            channels = tx.channels.select()
        if not channels:
            yield Probe(Area.CHANNELS, "Channels", _no_channel)
        for channel in channels:
            yield Probe(
                Area.CHANNELS, channel.name,
                lambda one=channel: self._look(one, is_deep=is_deep),  # type: ignore[misc]
            )  # fmt: skip

    def _look(self, channel: Channel, *, is_deep: bool) -> Iterator[Check]:
        if not channel.is_enabled:
            yield check_of(Area.CHANNELS, channel.name, Grade.WARNING, "switched off",
                           "Switch it on on the Alerts page.")  # fmt: skip
            return
        if is_deep:
            yield self._verified(channel)
        with self.store.reading() as tx:
            newest, error = find_ended(tx, channel.id), last_error(tx, channel.id)
            waiting = tx.deliveries.count(channel_id=channel.id, state=DeliveryState.WAITING)
        yield _last_delivery(channel, newest, error, waiting)

    def _verified(self, channel: Channel) -> Check:
        name = f"{channel.name}: credentials"
        try:
            return check_of(Area.CHANNELS, name, Grade.OK, self.open(channel).verify())
        except ChannelError as error:
            advice = "Correct them on the Alerts page, and press Test."
            return check_of(Area.CHANNELS, name, Grade.FAILED, error.message, advice)


def _no_channel() -> Iterator[Check]:
    yield check_of(
        Area.CHANNELS, "Channels", Grade.WARNING, "none: nobody is told when something fails",
        "Add one on the Alerts page.",
    )  # fmt: skip


def _last_delivery(channel: Channel, newest: Delivery | None, error: str, waiting: int) -> Check:
    waits = f"; {waiting} wait" if waiting else ""
    if newest is None and not error:
        detail = f"nothing was sent yet{waits}"
        return check_of(Area.CHANNELS, channel.name, Grade.UNKNOWN, detail, "Press Test.")
    if newest is not None and newest.state is DeliveryState.SENT and not error:
        detail = f"the last message was sent{waits}"
        return check_of(Area.CHANNELS, channel.name, Grade.OK, detail)
    told = error or (newest.state.value if newest else "")
    detail = f"the last message: {told}{waits}"
    return check_of(Area.CHANNELS, channel.name, Grade.FAILED, detail,
                    "Correct the channel on the Alerts page, and press Test.")  # fmt: skip


@dataclass(frozen=True)
class ModelProbes:
    """The model that bots ask, if any does."""

    is_used: Callable[[], bool]
    objection: Callable[[], str]

    def __call__(self, _is_deep: bool) -> Iterable[Probe]:
        """From memory and the database: asking would cost money."""
        return (Probe(Area.MODELS, "Model", self._look),)

    def _look(self) -> Iterator[Check]:
        objection = self.objection()
        if not self.is_used():
            yield check_of(Area.MODELS, "Model", Grade.OK, "no bot asks one")
            return
        grade = Grade.FAILED if objection else Grade.OK
        yield check_of(Area.MODELS, "Model", grade, objection or "can be asked",
                       "Until then its bots open nothing; exits go on.")  # fmt: skip
