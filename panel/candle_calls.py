"""The calls of docs/api.md about candles: a part of the pages' door to the engine."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from engine.contracts.bridge import BridgeHealth, BridgeStatistics
from engine.contracts.candles import (
    CandleDetail,
    Download,
    ImportedView,
    ImportRequest,
    PreviewView,
    SourceView,
    StoredSet,
)
from engine.contracts.market_data import FeedView
from panel.connection import Connection

CANDLES = "/api/v1/candles"
PATIENT = httpx.Timeout(180.0, connect=2.0)
"""For files: a million rows are looked at in some seconds, on a busy machine in more."""


class CandleCalls(Connection):
    """Every one raises EngineOff or EngineRefused."""

    def candle_sets(self) -> list[StoredSet]:
        """The candle library."""
        return self._parse(list[StoredSet], self._send("GET", CANDLES, timeout=PATIENT))

    def candle_set(self, set_id: str) -> CandleDetail:
        """One set with its problems and gaps."""
        return self._parse(CandleDetail, self._send("GET", _set(set_id), timeout=PATIENT))

    def candles_csv(self, set_id: str) -> bytes:
        """All candles of a set."""
        return self._send("GET", f"{_set(set_id)}.csv", timeout=PATIENT).content

    def delete_candles(self, set_id: str) -> None:
        """Delete a set's file."""
        self._send("DELETE", _set(set_id))

    def candle_sources(self) -> list[SourceView]:
        """Where candles can be downloaded."""
        return self._get(list[SourceView], f"{CANDLES}/sources")

    def candle_downloads(self) -> list[Download]:
        """The newest first."""
        return self._get(list[Download], f"{CANDLES}/downloads")

    def download_candles(self, request: Mapping[str, Any]) -> Download:
        """Begin one; the engine judges what is asked."""
        return self._post(Download, f"{CANDLES}/downloads", request)

    def cancel_download(self, download_id: str) -> Download:
        """Stop one; what it has is kept."""
        return self._post(Download, f"{CANDLES}/downloads/{quote(download_id, safe='')}/cancel")

    def resume_download(self, download_id: str) -> Download:
        """Go on with one where it ended."""
        return self._post(Download, f"{CANDLES}/downloads/{quote(download_id, safe='')}/resume")

    def upload_candles(self, content: bytes, asked: Mapping[str, Any]) -> PreviewView:
        """Send a file to be looked at."""
        response = self._send(
            "POST", f"{CANDLES}/inspect", content=content, query=asked, timeout=PATIENT
        )
        return self._parse(PreviewView, response)

    def inspect_upload(self, asked: Mapping[str, Any]) -> PreviewView:
        """Look again at a file that was sent, taken for something else."""
        response = self._send("POST", f"{CANDLES}/inspect", query=asked, timeout=PATIENT)
        return self._parse(PreviewView, response)

    def feeds(self) -> list[FeedView]:
        """The feeds of candles that bots live on."""
        return self._get(list[FeedView], "/api/v1/market-data")

    def bridge_health(self) -> BridgeHealth:
        """When each Expert Advisor was heard."""
        return self._get(BridgeHealth, "/api/health")

    def bridge_statistics(self) -> BridgeStatistics:
        """What was pushed, and what became of orders."""
        return self._get(BridgeStatistics, "/api/statistics")

    def import_candles(self, request: ImportRequest) -> ImportedView:
        """Keep a file that was sent."""
        response = self._send("POST", f"{CANDLES}/import", request, timeout=PATIENT)
        return self._parse(ImportedView, response)


def _set(set_id: str) -> str:
    return f"{CANDLES}/{quote(set_id, safe='')}"
