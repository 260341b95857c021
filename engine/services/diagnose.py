"""Diagnostics: every probe is run, and one that breaks is a failed check of its own."""

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from engine.domain.diagnostics import Area, Check, Diagnosis, check_of
from engine.domain.venue_accounts import Grade
from engine.errors import QuarterdeckError
from engine.ports import Clock, Machine

log = logging.getLogger("quarterdeck.diagnostics")

AT_ONCE = 8
"""A thorough look waits for venues and providers: so many of them at the same time."""


@dataclass(frozen=True)
class Probe:
    """Something to look at. ``look`` may block; what it raises becomes a failed check."""

    area: Area
    name: str
    look: Callable[[], Iterable[Check]]


ProbeSource = Callable[[bool], Iterable[Probe]]
"""The probes of a part of the engine; told whether to ask venues and providers too."""


class Diagnostics:
    """Looks at everything when somebody asks."""

    def __init__(self, clock: Clock, machine: Machine, sources: Sequence[ProbeSource]) -> None:
        self._clock = clock
        self._machine = machine
        self._sources = sources

    def run(self, *, is_deep: bool) -> Diagnosis:
        """Blocking; a deep look may take as long as the slowest venue."""
        probes = [probe for source in self._sources for probe in source(is_deep)]
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="diagnostics") as threads:
            checks = [check for found in threads.map(_looked, probes) for check in found]
        order = list(Area)
        checks.sort(key=lambda check: order.index(check.area))  # stable: by area alone
        return Diagnosis(
            at=self._clock.now(), is_deep=is_deep, checks=tuple(checks),
            versions=self._machine.versions(),
        )  # fmt: skip


def _looked(probe: Probe) -> list[Check]:
    try:
        return list(probe.look())
    except QuarterdeckError as error:
        advice = "The log has more; see also the page that this is about."
        return [check_of(probe.area, probe.name, Grade.FAILED, error.message, advice)]
    except Exception as error:  # a look that breaks is what diagnostics are to show
        log.exception("the probe '%s' failed", probe.name)
        detail = f"could not be looked at ({type(error).__name__}: {error})"
        advice = "Attach the bundle to a bug report."
        return [check_of(probe.area, probe.name, Grade.FAILED, detail, advice)]
