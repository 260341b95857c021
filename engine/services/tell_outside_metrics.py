"""Metrics of what the engine depends on: channels, venues' allowances, backups."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from engine.domain import gauges
from engine.domain.api_usage import ApiUsage
from engine.domain.backups import BackupState
from engine.domain.gauges import Sample
from engine.services.books import Books
from engine.services.delivery_figures import FigureReader


@dataclass(frozen=True)
class OutsideMetrics:
    """``usage`` is by an account's id; ``backups`` what the schedule remembers. The deliveries are
    counted in the database: raises StoreError."""

    books: Books
    deliveries: FigureReader
    usage: Callable[[str], Sequence[ApiUsage]]
    backups: Callable[[], BackupState]

    def __call__(self) -> Iterator[Sample]:
        """All samples."""
        found = self.deliveries.read()
        yield Sample(gauges.ALERTS_WAITING, found.waiting + found.new_alerts)
        yield Sample(gauges.ALERTS_OLDEST, found.oldest_age_s)
        channels = found.channels.values()
        for outcome, count in (
            ("sent", sum(one.sent_today for one in channels)),
            ("failed", sum(one.failed_today for one in channels)),
            ("uncertain", sum(one.uncertain_today for one in channels)),
        ):
            yield Sample(gauges.ALERTS_TODAY, count, (outcome,))
        for account in list(self.books.venue_accounts.values()):
            for one in self.usage(account.id):
                if one.limit:
                    share = one.used / one.limit
                    yield Sample(gauges.API_USED, share, (account.name, one.name))
        done_at = self.backups().done_at
        if done_at is not None:
            age = self.books.clock.now() - done_at
            yield Sample(gauges.BACKUP_AGE, age.total_seconds())
