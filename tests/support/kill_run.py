"""Many lives of a trading core at one exchange, each ended by ``kill -9``, and what they left."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from random import Random

from tests.fakes.exchange import BinanceExchange, binance_exchange
from tests.support.kill_steps import AT_VENUE
from tests.support.kill_verdict import Figures, Verdict
from tests.support.trading_core import TROUBLE, Life
from tooling.place import ROOT

EACH = int(os.environ.get("KILLS_EACH_STEP", "20"))
"""Kills at each step; mutants are shown with fewer."""

SEED = 20261125
TRIES = 6
"""So many lives for a kill at a step, at the most: not every life comes to its step."""

NEEDS_TROUBLE = {
    "commit: unknown": ("an order is late", "a pair is late", "an order's answer is lost"),
    "call: find_order": ("an order is late", "an order appears late"),
    "call: executions": ("an order is lost", "a pair is lost"),
    "commit: ended unfilled": ("an order is lost", "a stop is refused"),
}
"""Steps that undisturbed orders never come to, or only when they are in no doubt."""

SELDOM = ("commit: account checked", "call: open_orders", *NEEDS_TROUBLE)
AT_START_S, LATER_S = 0.1, 0.6
"""How long a core that is killed at random lives at the most: some die while they start."""


class KillRun:
    """The exchange, which lives on, and the nursery of those that do not."""

    def __init__(self, data: Path, exchange: BinanceExchange, seed: int) -> None:
        self._data = data
        self._exchange = exchange
        self._dice = Random(seed)
        self._seed = seed
        self._lives = 0
        self.kills: Counter[str] = Counter()
        data.mkdir(parents=True)
        with (data / "core.out").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.trading_core", str(data), exchange.url],
                cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._expect("ready")

    def kill_at(self, steps: Sequence[str], times: int) -> None:
        """Kill at every step so many times."""
        tries: Counter[str] = Counter()
        while (step := min(steps, key=lambda one: self.kills[one])) and self.kills[step] < times:
            tries[step] += 1
            assert tries[step] <= TRIES * times, f"too few lives come to '{step}': {self.kills}"
            kind = step.partition(" ")[2]
            # The exchange strikes one request with one fault only.
            troubles = NEEDS_TROUBLE.get(kind, self._any_trouble())
            self._live(
                step=step,
                nth=1 if kind in SELDOM else self._dice.choice((1, 1, 1, 2, 3)),
                trouble="" if step in AT_VENUE else self._dice.choice(troubles),
            )

    def kill_at_random(self, times: int) -> None:
        """Kill at any moment so many times."""
        while self.kills["at random"] < times:
            longest_s = self._dice.choice((AT_START_S, LATER_S))
            self._live(
                kill_after_s=self._dice.uniform(0, longest_s),
                trouble=self._dice.choice(self._any_trouble()),
            )

    def end(self) -> Figures:
        """A last, undisturbed life, and the verdict. Raises AssertionError."""
        self._exchange.release_all()
        assert self._live(is_last=True) == "alive"
        return Verdict(self._data, self._exchange).check()

    def finish(self, record: Callable[[str, object], None]) -> None:
        """End, and keep the figures. Raises AssertionError."""
        record("figures", self._summary(self.end()))

    def _summary(self, figures: Figures) -> str:
        """For people to read."""
        late = Counter(request.fault for request in self._exchange.requests if request.fault)
        lines = [f"{sum(self.kills.values())} kills in {self._lives} lives: 0 lost, 0 doubled"]
        lines += [f"{count:5} {step}" for step, count in sorted(self.kills.items())]
        lines.append(", ".join(f"{count} {name}" for name, count in figures._asdict().items()))
        lines.append("trouble: " + ", ".join(f"{late[name]} {name}" for name in sorted(late)))
        return "\n".join(lines)

    def close(self) -> None:
        """End the nursery and everything it made."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def _any_trouble(self) -> Sequence[str]:
        """Half of the lives have none."""
        return tuple(TROUBLE) if self._dice.random() < 0.5 else ("",)

    def _live(
        self, *, step: str = "", nth: int = 1, kill_after_s: float | None = None,
        trouble: str = "", is_last: bool = False,
    ) -> str:  # fmt: skip
        self._lives += 1
        number = self._seed + self._lives
        life = Life(number, step, nth, kill_after_s, trouble=trouble, is_last=is_last)
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(asdict(life))}\n")
        self._process.stdin.flush()
        ended = self._expect("killed", "alive")
        if ended == "killed":
            self.kills[step or "at random"] += 1
        return ended

    def _expect(self, *answers: str) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        assert answer in answers, f"{answer}: {(self._data / 'core.out').read_text()[-3000:]}"
        return answer


@contextmanager
def kill_run(data: Path, seed: int) -> Iterator[KillRun]:
    """A run over an empty data folder and a fresh exchange, all gone at the end."""
    with binance_exchange() as exchange:
        exchange.weight_limit = 1 << 62  # a thousand lives in a minute
        exchange.deposit("ETH", 100)  # so that too much can be sold of it as well
        run = KillRun(data, exchange, seed)
        try:
            yield run
        finally:
            run.close()
