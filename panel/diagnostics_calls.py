"""The calls about diagnostics."""

import httpx

from engine.contracts.diagnostics import DiagnosisView
from panel.connection import Connection

API = "/api/v1/diagnostics"
PATIENT = httpx.Timeout(180.0, connect=2.0)
"""A thorough look waits for every venue and provider."""


class DiagnosticsCalls(Connection):
    """Every one raises EngineOff or EngineRefused."""

    def diagnose(self, *, is_deep: bool = False) -> DiagnosisView:
        """How everything is; a deep look asks venues and providers, and may take a minute."""
        if not is_deep:
            return self._get(DiagnosisView, API)
        return self._parse(DiagnosisView, self._send("POST", API, timeout=PATIENT))

    def bundle(self) -> bytes:
        """The zip file for a bug report."""
        return self._send("GET", f"{API}/bundle", timeout=PATIENT).content
