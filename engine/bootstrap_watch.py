"""Those who watch the engine: the dead-man service, the service manager, the watcher."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.adapters.watchers.dead_man import HttpDeadMan
from engine.adapters.watchers.state_file import STATE_NAME, JsonWatcherFile
from engine.adapters.watchers.systemd import Systemd
from engine.bootstrap_core import Core
from engine.jobs import Job
from engine.ports import ServiceManager
from engine.services.diagnose import ProbeSource
from engine.services.hold_lease import LeaseKeeper
from engine.services.probe_watch import WatcherProbes, WatchProbes
from engine.services.tell_alive import DeadManPings, ManagerWatchdog
from engine.services.vital_signs import VitalSignReader


@dataclass(frozen=True)
class Watched:
    """What tells them, and what shows whether they are there."""

    signs: VitalSignReader
    dead_man: DeadManPings
    manager: ServiceManager
    jobs: Sequence[Job]
    probes: Sequence[ProbeSource]


def build_watched(core: Core, lease: LeaseKeeper) -> Watched:
    """Build it."""
    settings = core.settings
    url = settings.deadman_url
    signs = VitalSignReader(core.clock, core.pulse, lease, settings.lease_ttl_s)
    pings = DeadManPings(
        HttpDeadMan(url.get_secret_value().strip()) if url is not None else None,
        signs, core.books, core.lanes,
    )  # fmt: skip
    manager = Systemd()
    watchdog = ManagerWatchdog(manager, signs)
    jobs = (
        Job("dead-man", settings.deadman_every_s, pings.ping),
        Job("manager", watchdog.every_s, watchdog.tell),
    )
    probes = (
        WatchProbes(lambda: pings.state, manager.watchdog_s),
        WatcherProbes(core.clock, JsonWatcherFile(settings.data / STATE_NAME).read),
    )
    return Watched(signs, pings, manager, jobs, probes)
