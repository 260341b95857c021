"""Diagnostics, as ``GET /diagnostics`` answers them."""

from pydantic import Field

from engine.contracts.base import Contract
from engine.domain.diagnostics import Area, Check, Diagnosis
from engine.domain.venue_accounts import Grade

__all__ = ["Area", "Check", "Diagnosis", "DiagnosisView", "Grade"]


class DiagnosisView(Contract):
    """``worst`` is that of the worst check; one whose grade is unknown is no fault."""

    diagnosis: Diagnosis
    worst: Grade
    counts: dict[Grade, int] = Field(description="how many checks have each grade")
