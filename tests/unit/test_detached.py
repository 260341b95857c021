"""Calls in threads of their own: told to who waits, and in nobody's way when nobody does."""

import asyncio
import threading

import pytest

from engine.services.detached import run_detached

PATIENCE_S = 60.0


def fail() -> None:
    raise ZeroDivisionError("nothing")


def test_what_it_gives_and_what_it_raises_come_back() -> None:
    assert asyncio.run(run_detached("seven", lambda: 7)) == 7
    with pytest.raises(ZeroDivisionError, match="nothing"):
        asyncio.run(run_detached("fails", fail))


def test_giving_up_ends_the_wait_and_not_the_call() -> None:
    began, may_end, has_ended = threading.Event(), threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def hang() -> None:
        threads.append(threading.current_thread())
        began.set()
        may_end.wait(PATIENCE_S)
        has_ended.set()

    async def play() -> None:
        waiting = asyncio.create_task(run_detached("hangs", hang))
        await asyncio.to_thread(began.wait, PATIENCE_S)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(play())
    assert not has_ended.is_set()
    assert threads[0].daemon, "the process may end without it"
    may_end.set()
    threads[0].join(PATIENCE_S)
    assert has_ended.is_set()
