"""Metrics of channels, venues' allowances and backups."""

from datetime import timedelta

from engine.domain import gauges
from engine.domain.alerts import AlertKind, ChannelKind, Delivery, DeliveryState
from engine.domain.api_usage import ApiUsage
from engine.domain.backups import BackupState
from engine.domain.records import Level
from engine.domain.venue_accounts import Mode, VenueAccount
from engine.services.books import Books
from engine.services.delivery_figures import FigureReader
from engine.services.tell_outside_metrics import OutsideMetrics
from tests.fakes.clock import START, FakeClock
from tests.fakes.memory_store import MemoryStore

S = DeliveryState


def delivery(number: int, state: DeliveryState) -> Delivery:
    return Delivery(
        id=f"a{number}:c1", alert_id=f"a{number}", channel_id="c1", channel_name="Phone",
        channel_kind=ChannelKind.SMS, kind=AlertKind.MANUAL, level=Level.INFO, title="t", text="t",
        state=state, created_at=START, due_at=START, changed_at=START,
    )  # fmt: skip


def test_what_waits_what_was_sent_what_is_used_and_how_old_the_backup_is() -> None:
    clock = FakeClock()
    books = Books(MemoryStore(clock.now), clock)
    state = BackupState()
    usage = [ApiUsage("Request weight", 3_000, 6_000), ApiUsage("Unlimited", 5, 0)]
    metrics = OutsideMetrics(
        books, FigureReader(books.store, clock), lambda _account: usage, lambda: state
    )
    told = {one.metric for one in metrics()}
    assert gauges.BACKUP_AGE not in told
    assert gauges.API_USED not in told

    states = (S.SENT, S.SENT, S.FAILED, S.UNCERTAIN, S.WAITING)
    with books.store.transaction() as tx:
        tx.deliveries.add(*(delivery(number, one) for number, one in enumerate(states)))
    books.venue_accounts["a1"] = VenueAccount(
        id="a1", name="Main", venue="binance", mode=Mode.TEST, created_at=START, updated_at=START
    )
    state = BackupState(done_at=START - timedelta(hours=1))
    clock.advance(30)
    found = {(one.metric, *one.labels): one.value for one in metrics()}
    assert found == {
        (gauges.ALERTS_WAITING,): 1,
        (gauges.ALERTS_OLDEST,): 30.0,
        (gauges.ALERTS_TODAY, "sent"): 2,
        (gauges.ALERTS_TODAY, "failed"): 1,
        (gauges.ALERTS_TODAY, "uncertain"): 1,
        (gauges.API_USED, "Main", "Request weight"): 0.5,
        (gauges.BACKUP_AGE,): 3_630.0,
    }
