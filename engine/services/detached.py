"""Calls that nobody waits for to the end: each in a daemon thread, so that one which hangs keeps
neither a pool nor the end of the process."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def run_detached(name: str, call: Callable[[], T]) -> T:
    """Run a blocking call in a thread of its own. Raises whatever it raises. Cancelling gives up
    the wait, not the call. How many there are at a time is the caller's to bound."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # from now on nobody but the thread ends it

    def run() -> None:
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001  it is raised where it is waited for
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await asyncio.wrap_future(future)
