"""Diagnostics for the API."""

from dataclasses import dataclass
from typing import Protocol

from engine.contracts.diagnostics import DiagnosisView
from engine.services.bundle import Bundle
from engine.services.diagnose import Diagnostics


class DiagnosticsServices(Protocol):
    """How the engine and all that it depends on are."""

    def look(self, *, is_deep: bool) -> DiagnosisView:
        """A deep look asks venues, providers and a time server; it may take a minute."""
        ...

    def bundle(self, *, is_deep: bool) -> bytes:
        """A zip file for a bug report. Raises StoreError."""
        ...


@dataclass(frozen=True)
class DiagnosticsDesk:
    """Implements ``DiagnosticsServices``."""

    diagnostics: Diagnostics
    packer: Bundle

    def look(self, *, is_deep: bool) -> DiagnosisView:
        """Blocking."""
        found = self.diagnostics.run(is_deep=is_deep)
        return DiagnosisView(diagnosis=found, worst=found.worst, counts=dict(found.counts))

    def bundle(self, *, is_deep: bool) -> bytes:
        """Blocking."""
        return self.packer.make(self.diagnostics.run(is_deep=is_deep))
