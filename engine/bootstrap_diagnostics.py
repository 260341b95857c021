"""Diagnostics of a running engine, and of one that does not run."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from engine.adapters.clock.system import SystemClock
from engine.adapters.machine.local import LocalMachine
from engine.adapters.store.database import Database
from engine.adapters.store.facts import read_facts
from engine.api.diagnostics_desk import DiagnosticsDesk
from engine.api.settings_view import SettingsDesk
from engine.bootstrap_core import Core
from engine.domain.alerts import Channel
from engine.domain.diagnostics import Area, Check, Diagnosis, check_of
from engine.domain.venue_accounts import Grade, VenueAccount
from engine.ports import Notifier
from engine.services.bundle import Bundle
from engine.services.diagnose import Diagnostics, Probe, ProbeSource
from engine.services.probe_engine import (
    DatabaseProbes,
    EngineProbes,
    MachineProbes,
    MarketProbes,
    StrategyProbes,
)
from engine.services.probe_outside import BrokerProbes, ChannelProbes, ModelProbes
from engine.settings import Settings

BUSY_TIMEOUT_S = 5.0


def build_diagnostics(
    core: Core,
    test_account: Callable[[str, str], VenueAccount],
    open_notifier: Callable[[Channel], Notifier],
    model_objection: Callable[[], str],
    clean: Callable[[str], str],
    more: Iterable[ProbeSource] = (),
) -> DiagnosticsDesk:
    """Of a running engine. ``clean`` masks every secret that it knows."""
    settings, books = core.settings, core.books
    machine = LocalMachine(settings.time_server)
    shown = SettingsDesk(books, settings)

    def shown_settings() -> Mapping[str, str]:
        return {view.key: view.value for view in shown.views()}

    def is_model_used() -> bool:
        return any(bot.config.ai is not None for bot in list(books.bots.values()))

    sources: tuple[ProbeSource, ...] = (
        EngineProbes(books, core.pulse, core.lanes),
        DatabaseProbes(core.store, books, core.store.facts),
        MachineProbes(machine, settings.data),
        StrategyProbes(machine, core.host.list, core.host.worker_pids, settings.strategy_memory_mb),
        MarketProbes(core.feed),
        BrokerProbes(books, test_account, core.connections.usage),
        ChannelProbes(core.store, open_notifier),
        ModelProbes(is_model_used, model_objection),
        *more,
    )
    return DiagnosticsDesk(
        Diagnostics(core.clock, machine, sources),
        Bundle(books, settings.logs, shown_settings, clean),
    )


def diagnose_stopped(settings: Settings, *, is_deep: bool) -> Diagnosis:
    """What can be told of a data folder whose engine does not run; nothing is changed."""
    machine = LocalMachine(settings.time_server)
    sources: tuple[ProbeSource, ...] = (
        lambda _is_deep: (Probe(Area.ENGINE, "Engine", _not_running),),
        lambda deep: (Probe(Area.DATABASE, "Database", lambda: _database(settings, deep)),),
        MachineProbes(machine, _existing(settings.data)),
    )
    return Diagnostics(SystemClock(), machine, sources).run(is_deep=is_deep)


def _not_running() -> Iterator[Check]:
    yield check_of(
        Area.ENGINE, "Engine", Grade.WARNING, "it does not run",
        "Start it with 'python run.py' or 'python -m engine run'; the end of data/logs/engine.log "
        "says why it stopped.",
    )  # fmt: skip


def _database(settings: Settings, is_deep: bool) -> Iterator[Check]:
    """Without bringing its tables up to date, which only a start does."""
    file = settings.data / "state.db"
    if not settings.database_url and not file.exists():
        yield check_of(Area.DATABASE, "Database", Grade.OK, "none yet: the first start makes it")
        return
    database = Database(settings.store_url, BUSY_TIMEOUT_S)
    try:
        facts = read_facts(database, is_deep=is_deep)
    finally:
        database.close()
    detail = f"{facts.product}, tables {facts.revision}"
    yield check_of(
        Area.DATABASE, "Database", Grade.FAILED if facts.damage else Grade.OK,
        f"{detail}; {facts.damage}" if facts.damage else detail,
        "Keep a copy of the file, and restore the newest backup that verifies.",
    )  # fmt: skip


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that there is."""
    return next(one for one in (folder, *folder.parents) if one.exists())
