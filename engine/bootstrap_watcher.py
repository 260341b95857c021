"""The watcher: a small process of its own that tells when the engine does not answer.

It is up when the engine is not, so it shares nothing with it but the data folder. What sends
messages is loaded when there is something to send: the vendors' SDKs are large.
"""

import logging
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.adapters.clock.system import SystemClock
from engine.adapters.store.glimpse import PostgresRecords, SqliteRecords
from engine.adapters.watchers.heartbeat import HttpHeartbeats
from engine.adapters.watchers.state_file import STATE_NAME, JsonWatcherFile
from engine.domain.alerts import Channel
from engine.domain.watching import WatchRules
from engine.errors import QuarterdeckError
from engine.locks import FolderLock
from engine.logs import configure_logs
from engine.services.tell_down import DownTeller
from engine.services.watch_engine import EngineWatcher
from engine.services.watcher_notes import WatcherNotes
from engine.settings import Settings

if TYPE_CHECKING:  # what sends is loaded when it is needed
    from engine.ports import Notifier
    from engine.ports.watchers import Records

log = logging.getLogger("quarterdeck.watcher")

PROGRAM = "watcher"
OK, REFUSED = 0, 2
STOP_GRACE_S = 5.0


def run_watcher(settings: Settings) -> int:
    """Watch until asked to stop; the process's exit code: 0 after that, 2 with one sentence on
    stderr when it cannot start as things are."""
    lock, asked = FolderLock(settings.data, PROGRAM), threading.Event()
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda _number, _frame: asked.set())
    try:
        lock.acquire()
        redaction = configure_logs(settings.logs, settings.log_level, program=PROGRAM)
        for secret in settings.secrets:
            redaction.hide(secret)
        watcher, teller = build_watcher(settings, redaction.hide)
    except QuarterdeckError as error:
        sys.stderr.write(f"{error.message}\n")
        lock.release()
        return REFUSED
    log.info("the watcher watches %s, data in %s", settings.api_url, settings.data)
    while not asked.is_set():
        try:
            watcher.round()
            teller.begin_due()
        except Exception:  # whatever it is, the next round looks again: it must not end here
            log.exception("a round failed")
        asked.wait(watcher.rules.every_s)
    teller.finish(STOP_GRACE_S)
    log.info("the watcher has stopped")
    lock.release()
    return OK


def build_watcher(
    settings: Settings, hide: Callable[[str], None]
) -> tuple[EngineWatcher, DownTeller]:
    """Build it and read what the one before it knew; ``hide`` keeps a secret out of the logs.
    Raises ConfigError."""
    clock = SystemClock()
    notes = WatcherNotes(JsonWatcherFile(settings.data / STATE_NAME), clock)
    notes.load()
    rules = WatchRules(
        patience_s=settings.watcher_patience_s, again_h=settings.watcher_again_h,
        zone=settings.alert_zone,
    )  # fmt: skip
    heartbeats = HttpHeartbeats(settings.api_port)
    watcher = EngineWatcher(notes, heartbeats, _records(settings), clock, rules)
    watcher.begin()
    return watcher, DownTeller(notes, _opener(settings, hide), clock)


def _records(settings: Settings) -> "Records":
    if not settings.database_url:
        return SqliteRecords(settings.data / "state.db")
    from engine.adapters.store.database import POSTGRES, parse_url

    url = parse_url(settings.database_url)
    if url.get_backend_name() == POSTGRES:
        return PostgresRecords(settings.database_url)
    return SqliteRecords(Path(url.database or ""))


def _opener(settings: Settings, hide: Callable[[str], None]) -> "Callable[[Channel], Notifier]":
    """Opens channels with the engine's key, by the same sources; it never makes one."""
    lock = threading.Lock()
    made: list[Callable[[Channel], Notifier]] = []

    def links() -> "Callable[[Channel], Notifier]":
        from engine.adapters.notify.registry import NotifierRegistry
        from engine.adapters.secrets.aes_vault import AesVault
        from engine.adapters.secrets.key_sources import KeySources, system_keyring
        from engine.services.channel_links import ChannelLinks

        given = settings.secret_key.get_secret_value().strip() if settings.secret_key else ""
        keyring = system_keyring if settings.keyring else None
        sources = KeySources(settings.data, given or None, keyring, has_secrets=lambda: True)
        registry = NotifierRegistry(
            twilio_url=settings.twilio_url, telegram_url=settings.telegram_url
        )
        return ChannelLinks(AesVault(sources.find), registry, hide).notifier

    def open_notifier(channel: Channel) -> "Notifier":
        with lock:
            if not made:
                made.append(links())
        return made[0](channel)

    return open_notifier
