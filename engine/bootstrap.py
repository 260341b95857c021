"""The composition root: the only module that chooses adapters and plugs everything together."""

import asyncio
import gc
import logging
import signal
import socket
import sys

from engine.adapters.store.store import SqlStore
from engine.api.auth import ensure_token
from engine.api.server import ApiServer, bind, bind_loopback
from engine.api.settings_view import EDITABLE, PREFIX, check_setting
from engine.bootstrap_backups import undo_unfinished
from engine.bootstrap_engine import Ending, Engine
from engine.errors import ConfigError, QuarterdeckError
from engine.locks import FolderLock
from engine.logs import Redaction, configure_access_log, configure_logs
from engine.ports import Store
from engine.settings import Settings

__all__ = ["Ending", "Engine", "run_engine"]

log = logging.getLogger("quarterdeck.engine")

REFUSED = 2


def run_engine(settings: Settings) -> int:
    """Run the engine until it is asked to stop; the process's exit code.

    0 after a graceful stop, 1 when it had to give up, 2 with one sentence on stderr when it
    cannot start as things are.
    """
    lock = FolderLock(settings.data)
    try:
        lock.acquire()
        undo_unfinished(settings.data)
        listener, inbox = bind_loopback(settings.api_port), _bind_inbox(settings)
        token = ensure_token(settings.token_file)
        redaction = configure_logs(settings.logs, settings.log_level)
        configure_access_log(settings.logs)
        for secret in (token, *settings.secrets):
            redaction.hide(secret)
        store = SqlStore.open(settings.store_url)
    except QuarterdeckError as error:
        sys.stderr.write(f"{error.message}\n")
        lock.release()
        return REFUSED
    try:
        settings = _stored(settings, store)
        return asyncio.run(_run(settings, store, token, (listener, inbox), redaction))
    except QuarterdeckError as error:
        sys.stderr.write(f"{error.message}\n")
        return REFUSED
    finally:
        listener.close()
        if inbox is not None:
            inbox.close()
        store.close()
        lock.release()


def _bind_inbox(settings: Settings) -> socket.socket | None:
    """The second port, where signals and nothing else come in; None unless one is set."""
    if settings.inbox_port is None:
        return None
    return bind(settings.inbox_host, settings.inbox_port, "inbox_port")


def _stored(settings: Settings, store: Store) -> Settings:
    """The settings with those that were changed in the panel; a bad one is left out and logged."""
    changed = {}
    with store.reading() as tx:
        for key in EDITABLE:
            value = tx.find_setting(PREFIX + key)
            if value is None:
                continue
            try:
                changed[key] = check_setting(key, value)
            except ConfigError as error:
                log.warning("a kept setting is not used: %s", error)
    return settings.model_copy(update=changed)


async def _run(
    settings: Settings,
    store: SqlStore,
    token: str,
    listeners: tuple[socket.socket, socket.socket | None],
    redaction: Redaction,
) -> int:
    ending = Ending(asyncio.get_running_loop(), asyncio.Event())
    engine = Engine(settings, store, token, ending, redaction)
    _on_signals(ending)
    servers = [
        ApiServer(app, listener)
        for app, listener in zip((engine.app, engine.inbox_app), listeners, strict=True)
        if listener is not None
    ]
    await engine.start()
    for server in servers:
        await server.start()
    _keep_what_a_start_made()
    log.info("the engine listens on %s, data in %s", settings.api_url, settings.data)
    engine.watched.manager.ready()
    await ending.asked.wait()
    engine.watched.manager.stopping()
    engine.facade.live.close()  # a stream has no end of its own
    for server in servers:
        await server.stop()
    await engine.stop()
    return ending.exit_code


def _keep_what_a_start_made() -> None:
    """Take modules, and all else that lives as long as the engine, out of the garbage collector's
    sight: whenever it looked through them, everything stood still for a fifth of a second."""
    gc.collect()
    gc.freeze()


def _on_signals(ending: Ending) -> None:
    names = [name for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
    for name in names:
        signal.signal(getattr(signal, name), lambda number, _frame: ending.stop(f"signal {number}"))
