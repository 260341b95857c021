"""That the engine has started, and whether the one before it had stopped properly."""

from typing import Any

from engine.domain.amount_words import lasting
from engine.domain.money import utc_text
from engine.domain.records import Level
from engine.services.books import Books

STARTED, STOPPED = "engine.started", "engine.stopped"


def tell_start(books: Books) -> None:
    """An event ``engine.started``: a warning where the last engine has left no ``engine.stopped``,
    as after a crash, a kill or a power cut. Raises StoreError."""
    now = books.clock.now()
    with books.writing() as writing:
        events = writing.tx.events
        last = events.select(kind=[STARTED, STOPPED], is_descending=True, limit=1)
        open_count = len(books.positions)
        is_dead = bool(last) and last[0].kind == STARTED
        facts: dict[str, Any] = {"after_crash": is_dead, "open_positions": open_count}
        words = f"The engine has started; open positions: {open_count}."
        if not is_dead:
            writing.event(Level.INFO, STARTED, words if open_count else "The engine has started.",
                          **facts)  # fmt: skip
            return
        [newest] = events.select(is_descending=True, limit=1)
        writing.event(
            Level.WARNING, STARTED,
            f"{words} The one before did not stop properly: it was last heard of"
            f" {lasting(now - newest.time)} ago, at {newest.time:%Y-%m-%d %H:%M:%S} UTC.",
            last_heard_at=utc_text(newest.time), **facts,
        )  # fmt: skip
