"""The inbox: a signal is durable before its sender is answered, and the same one is kept once.

Signals that arrive together are written together: a thousand a second are some dozens of commits.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from engine.domain.signals import Signal, SignalKind, SignalState
from engine.errors import StoreError
from engine.ports import Store, Transaction
from engine.services.lanes import Lanes

LANE = "inbox"
MOST_AT_ONCE = 500
LOOKED_UP_AT_ONCE = 32
"""The index is asked for every digest of every sender: of 500 senders at once a quarter million."""

MOST_WAITING = 5_000
"""More than any database that is alive leaves undone; what comes then is to be sent again."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a signal is: ``signal_id`` is the first of its kind when ``is_copy``; ``state`` and
    ``outcome`` are that one's."""

    signal_id: str
    is_copy: bool
    state: SignalState
    outcome: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What a copy is recognised by."""

    id: str
    received_at: datetime
    state: SignalState
    outcome: str


@dataclass(frozen=True, slots=True)
class _Waiting:
    signal: Signal
    same_within_s: int | None
    copy_of: str
    done: "asyncio.Future[Kept]"

    @property
    def digests(self) -> tuple[str, ...]:
        return (self.signal.digest, self.copy_of) if self.copy_of else (self.signal.digest,)


class Inbox:
    """Group commit of signals. Once they are durable and their senders answered, ``note`` is told
    of each new one on the event loop, and ``begin`` of each that asks for something to be done."""

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        begin: Callable[[Signal], None],
        note: Callable[[Signal], None] = lambda _signal: None,
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._begin = begin
        self._note = note
        self._waiting: list[_Waiting] = []
        self._flushing: asyncio.Task[None] | None = None

    async def keep(
        self, signal: Signal, *, same_within_s: int | None = None, copy_of: str = ""
    ) -> Kept:
        """Returns once it is durable, or known to be a copy.

        A copy has the sender and the digest of one that came within ``same_within_s`` (None: ever;
        0: it never is one), or the digest ``copy_of`` of one that came ever. Raises StoreError, and
        then nothing was kept.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise StoreError("The inbox cannot write as fast as signals come; nothing was kept.")
        done: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(signal, same_within_s, copy_of, done))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        return await done

    async def _flush(self) -> None:
        """Write what waits; what comes meanwhile is the next group."""
        try:
            while self._waiting:
                group = self._waiting[:MOST_AT_ONCE]
                del self._waiting[:MOST_AT_ONCE]
                writing = self._lanes.run(LANE, self._write, group)
                [outcome] = await asyncio.gather(writing, return_exceptions=True)
                self._answer(group, outcome)
        finally:
            self._flushing = None

    def _answer(self, group: Sequence[_Waiting], outcome: list[Kept] | BaseException) -> None:
        if isinstance(outcome, BaseException):
            for one in group:
                if not one.done.done():
                    one.done.set_exception(outcome)
            return
        for one, kept in zip(group, outcome, strict=True):
            if not one.done.done():
                one.done.set_result(kept)
        new = [one.signal for one, kept in zip(group, outcome, strict=True) if not kept.is_copy]
        # Behind the answers, and apart: a fault of who acts keeps no later group from being kept.
        asyncio.get_running_loop().call_soon(self._hand_on, new)

    def _hand_on(self, new: Sequence[Signal]) -> None:
        for signal in new:
            self._note(signal)
            if is_to_be_acted_on(signal):
                self._begin(signal)

    def _write(self, group: Sequence[_Waiting]) -> list[Kept]:
        """One transaction; on the inbox's own thread, so that no other decides at the same time
        what is a copy."""
        with self._store.transaction() as tx:
            known = _known(tx, group)
            new: dict[str, Signal] = {}
            copies: Counter[str] = Counter()
            kept = []
            for one in group:
                first = _first(one, known)
                if first is None:
                    first = _as_known(one.signal)
                    known[one.signal.sender, one.signal.digest] = first
                    new[first.id] = one.signal
                    kept.append(Kept(first.id, False, first.state, first.outcome))
                else:
                    copies[first.id] += 1
                    kept.append(Kept(first.id, True, first.state, first.outcome))
            _count_copies(tx, copies, new)
            tx.signals.add(*new.values())
        return kept


def is_to_be_acted_on(signal: Signal) -> bool:
    """Whether something is to be done about it."""
    return signal.kind is SignalKind.ORDER and signal.state is SignalState.RECEIVED


def _known(tx: Transaction, group: Sequence[_Waiting]) -> dict[tuple[str, str], _Known]:
    """The newest signal of each sender and digest that is in the group."""
    by_sender = sorted(group, key=lambda one: one.signal.sender)
    rows: list[tuple[Any, ...]] = []
    for start in range(0, len(by_sender), LOOKED_UP_AT_ONCE):
        some = by_sender[start : start + LOOKED_UP_AT_ONCE]
        rows += tx.signals.values(
            "sender", "digest", "id", "received_at", "state", "outcome",
            sender={one.signal.sender for one in some},
            digest={digest for one in some for digest in one.digests},
        )  # fmt: skip
    by_age = sorted(rows, key=lambda row: row[3])
    return {
        (sender, digest): _Known(key, received_at, SignalState(state), outcome)
        for sender, digest, key, received_at, state, outcome in by_age
    }


def _first(one: _Waiting, known: dict[tuple[str, str], _Known]) -> _Known | None:
    """The signal that this is a copy of."""
    sender = one.signal.sender
    if one.copy_of and (same := known.get((sender, one.copy_of))) is not None:
        return same
    same = known.get((sender, one.signal.digest))
    if same is None or one.same_within_s is None:
        return same
    since = one.signal.received_at - timedelta(seconds=one.same_within_s)
    return same if one.same_within_s and same.received_at >= since else None


def _as_known(signal: Signal) -> _Known:
    return _Known(signal.id, signal.received_at, signal.state, signal.outcome)


def _count_copies(tx: Transaction, copies: Counter[str], new: dict[str, Signal]) -> None:
    for key, count in copies.items():
        if key in new:
            new[key] = new[key].model_copy(update={"copies": count})
        else:
            first = tx.signals.get(key)
            tx.signals.save(first.model_copy(update={"copies": first.copies + count}))
