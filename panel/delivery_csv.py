"""The delivery log as a file: RFC 4180, times in UTC, nothing that a spreadsheet would run."""

from collections.abc import Iterator
from datetime import UTC, datetime

from engine.contracts.alerts import DeliveryFilter, DeliveryView
from panel.facade import ControlPanel
from panel.logs_view import csv_text, iso

MOST_ROWS = 10_000
PAGE_ROWS = 1_000
COLUMNS = (
    "created_at", "sent_at", "channel", "channel_kind", "kind", "level", "state", "title", "text",
    "bot", "bot_id", "attempts", "segments", "cost_usd", "provider_id", "answer", "error",
    "is_test", "alert_id", "id",
)  # fmt: skip


def csv_name(present: datetime) -> str:
    """The download's file name."""
    return f"quarterdeck-deliveries-{present.astimezone(UTC):%Y%m%dT%H%M%SZ}.csv"


def deliveries_csv(panel: ControlPanel, chosen: DeliveryFilter) -> str:
    """All deliveries that match, up to a limit, newest first. Raises PanelError."""
    return csv_text(COLUMNS, (_cells(one) for one in _all(panel, chosen)))


def _all(panel: ControlPanel, chosen: DeliveryFilter) -> Iterator[DeliveryView]:
    """Page by page. What comes meanwhile moves the pages on: nothing is given twice."""
    seen: set[str] = set()
    for offset in range(0, MOST_ROWS, PAGE_ROWS):
        page = panel.deliveries(
            chosen.model_copy(update={"limit": PAGE_ROWS, "offset": offset})
        ).items
        yield from (one for one in page if one.id not in seen)
        seen.update(one.id for one in page)
        if len(page) < PAGE_ROWS:
            return


def _cells(one: DeliveryView) -> list[str]:
    return [
        iso(one.created_at), iso(one.sent_at) if one.sent_at else "", one.channel_name,
        one.channel_kind.value, one.kind.value, one.level.value, one.state.value, one.title,
        one.text, one.bot_name, one.bot_id or "", str(one.attempts), str(one.segments),
        "" if one.cost is None else f"{one.cost:f}", one.provider_id, one.answer, one.error,
        str(one.is_test).lower(), one.alert_id, one.id,
    ]  # fmt: skip
