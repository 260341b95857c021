"""A stream that is kept going: a thread with an asyncio loop that connects again and again."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

log = logging.getLogger("quarterdeck.streams")

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
STOP_S = 5.0
Session = Callable[[Callable[[], None]], Awaitable[None]]


class StreamThread:
    """Runs ``session`` until ``stop``: it connects, calls what it is given once it is connected,
    and listens until it fails with one of ``errors``; then it is run again, after a wait that
    doubles until a connection holds.
    """

    def __init__(
        self,
        name: str,
        session: Session,
        errors: tuple[type[Exception], ...],
        *,
        on_connected: Callable[[], None] = lambda: None,
        on_disconnected: Callable[[str], None] = lambda _reason: None,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        self._name = name
        self._session = session
        self._errors = errors
        self._on_connected = on_connected
        self._on_disconnected = on_disconnected
        self._first_wait_s = first_wait_s
        self._is_connected = False
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._keep_going())
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the stream and its thread; nothing is called any more afterwards."""
        with suppress(RuntimeError):  # the loop is closed: it has ended by itself
            self._loop.call_soon_threadsafe(self._task.cancel)
        if threading.current_thread() is not self._thread:
            self._thread.join(STOP_S)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            log.debug("%s has ended", self._name)
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _keep_going(self) -> None:
        wait_s = self._first_wait_s
        while True:
            reason = "the stream ended"
            try:
                await self._session(self._connected)
            except self._errors as error:
                reason = type(error).__name__
            if self._is_connected:
                wait_s, self._is_connected = self._first_wait_s, False
                self._on_disconnected(reason)
            log.info("%s is down (%s), again in %.1f s", self._name, reason, wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    def _connected(self) -> None:
        self._is_connected = True
        self._on_connected()
