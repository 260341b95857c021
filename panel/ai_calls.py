"""The pages' calls about models."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from engine.contracts.ai import (
    AdviceFilter,
    AdviceLine,
    AdvicePage,
    AdviceView,
    AiStatus,
    AiSummary,
    AiSummaryFilter,
    DryRunView,
)
from panel.connection import Connection

API = "/api/v1/ai"
MODEL_TIMEOUT = httpx.Timeout(150.0, connect=2.0)
"""A model may take the longest deadline that a bot can have."""

MOST_LINES = 1_000
"""The most that the engine gives at once."""


class AiCalls(Connection):
    """What a model was asked, what came of it, and asking it once more."""

    def ai_status(self) -> AiStatus:
        """Whether a model can be asked, and what is left of the day's budget."""
        return self._get(AiStatus, f"{API}/status")

    def ai_summary(self, chosen: AiSummaryFilter | None = None) -> AiSummary:
        """Accuracy, calibration, costs, and what was held back."""
        return self._get(
            AiSummary, f"{API}/summary", (chosen or AiSummaryFilter()).model_dump(mode="json")
        )

    def advice_page(self, chosen: AdviceFilter | None = None) -> AdvicePage:
        """A page of what was asked, newest first."""
        return self._get(
            AdvicePage, f"{API}/advice", (chosen or AdviceFilter()).model_dump(mode="json")
        )

    def advice_lines(
        self, chosen: AdviceFilter, most: int = 5 * MOST_LINES
    ) -> tuple[list[AdviceLine], int]:
        """The newest ``most`` that match, and how many there are in all."""
        lines: list[AdviceLine] = []
        while True:
            changes = {"limit": MOST_LINES, "offset": len(lines)}
            page = self.advice_page(chosen.model_copy(update=changes))
            lines += page.items
            if len(page.items) < MOST_LINES or len(lines) >= most:
                return lines, page.count

    def advice_csv(self, chosen: AdviceFilter) -> bytes:
        """All that match, as CSV without prompts; paging is ignored."""
        query = chosen.model_dump(mode="json", exclude={"limit", "offset"})
        return self._send("GET", f"{API}/advice.csv", query=query).content

    def advice(self, advice_id: str) -> AdviceView:
        """One question with its answer, whole."""
        return self._get(AdviceView, _advice(advice_id))

    def replay_advice(self, advice_id: str) -> AdviceView:
        """Ask the same once more; nothing follows from it. Waits for the model."""
        response = self._send("POST", f"{_advice(advice_id)}/replay", timeout=MODEL_TIMEOUT)
        return self._parse(AdviceView, response)

    def dry_run(self, body: Mapping[str, Any]) -> DryRunView:
        """Ask a model about a bot's real candles; nothing follows from it. Waits for the model."""
        response = self._send("POST", f"{API}/dry-run", body, timeout=MODEL_TIMEOUT)
        return self._parse(DryRunView, response)


def _advice(advice_id: str) -> str:
    return f"{API}/advice/{quote(advice_id, safe='')}"
