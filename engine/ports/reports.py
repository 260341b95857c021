"""Reports for people, as documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.domain.performance.analysis import Analysis


@dataclass(frozen=True, slots=True)
class ReportSection:
    """One result of a report.

    ``trades`` are rows as ``trade_rows`` of the domain gives them (ISO 8601 times, plain numbers),
    in the order in which they are shown; ``trade_count`` counts those that are left out too.
    """

    analysis: Analysis
    trades: Sequence[Mapping[str, object]]
    trade_count: int
    heading: str = ""


class ReportWriter(Protocol):
    """Writes a report."""

    def html(self, title: str, subtitle: str, sections: Sequence[ReportSection]) -> str:
        """One self-contained page: no scripts, nothing fetched, all words escaped."""
        ...
