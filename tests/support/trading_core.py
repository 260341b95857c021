"""A trading core that lives to be killed: the order desk with everything about it, and a script.

``python -m tests.support.trading_core DATA URL`` is a warm process. For each line of JSON, a
``Life``, it forks a core over the data folder and the exchange at URL, and says how that ended.
Nothing of the core is a stand-in: a store on disk, books, controls, gateway, desk, reconciler, and
a broker that speaks to the exchange through ccxt.
"""

import gc
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import cast

from engine.adapters.brokers.ccxt_spot import CcxtSpotBroker
from engine.adapters.clock.system import SystemClock
from engine.adapters.market_data.ccxt_public import CcxtPublicMarket
from engine.adapters.store.store import SqlStore
from engine.domain.bots import EntryOrder
from engine.domain.limits import Limits
from engine.links.binance import test_addresses as addresses_of
from engine.ports import Broker, Store
from engine.services.books import Books
from engine.services.controls import Controls
from engine.services.gateway import Gateway
from engine.services.order_desk import OrderDesk
from engine.services.reconcile import Reconciler
from tests.fakes.exchange import KEY, SECRET, ExchangeAdmin
from tests.fakes.venues import FakeVenues
from tests.support.kill_script import AMOUNT, Script
from tests.support.kill_steps import AT_VENUE, DeadlyBroker, DeadlyStore, Death
from tests.support.mutants import apply_chosen
from tests.unit.samples import bot, config

ACCOUNT = "test:binance"
MARKET = "ccxt:binance"
QUIET_S = 0.2
LATE_S = 0.1
LONGEST_S = 20.0
NAP_S = 0.02
POLL_S = 0.02
TIMEOUT_MS = 2_000
WARM_ROUNDS = 5
SYMBOLS = {"alpha": "BTC/USDT", "beta": "BTC/USDT", "gamma": "ETH/USDT"}
PATIENT = "gamma"
"""The bot whose entries are limit orders."""

LATE, CUT, LOST = "lands_late", "cut", "cut_after_accept"
TROUBLE: dict[str, tuple[str, str, float | None]] = {
    "an order is late": (LATE, "POST order", LATE_S),
    "a pair is late": (LATE, "POST orderList/oco", LATE_S),
    "an order is lost": (CUT, "POST order", None),
    "a pair is lost": (CUT, "POST orderList/oco", None),
    "an order's answer is lost": (LOST, "POST order", None),
    "a pair's answer is lost": (LOST, "POST orderList/oco", None),
    "a cancel's answer is lost": (LOST, "DELETE order", None),
    "an order is unknown to the venue itself": ("code_1007", "POST order", None),
    "a gateway gives up": ("status_504_after_accept", "POST orderList/oco", None),
    "an order appears late": ("invisible", "POST order", LATE_S),
    "a question is not answered": ("status_5xx", "GET order", 503),
    "a stop is refused": ("refuse_stop", "POST orderList/oco", None),
}
"""What else happens to requests: the exchange's word for it, where, and its value."""


@dataclass(frozen=True)
class Life:
    """How one core is to end: at the ``nth`` time of ``step``, or after ``kill_after_s``. The last
    one takes everything back and closes everything."""

    number: int
    step: str = ""
    nth: int = 1
    kill_after_s: float | None = None
    rounds: int = 20
    trouble: str = ""
    is_last: bool = False


class Warm:
    """What is made once and forked: code, the exchange's listing, a store and a broker that know
    their work and hold no connection."""

    def __init__(self, data: Path, url: str) -> None:
        clock = SystemClock()
        self.data = data
        self.admin = ExchangeAdmin(url)
        self.market = CcxtPublicMarket(MARKET, clock, base_url=url, is_paced=False)
        self.store = SqlStore.open(f"sqlite:///{data / 'state.db'}")
        self.broker = CcxtSpotBroker(
            ACCOUNT, self.market, clock, key=KEY, secret=SECRET, addresses=addresses_of(url),
            quiet_period_s=QUIET_S, timeout_ms=TIMEOUT_MS, is_paced=False, poll_every_s=POLL_S,
        )  # fmt: skip

    def disconnect(self) -> None:
        """No two processes may use the same connection; each makes its own when it needs one."""
        self.store.close()
        self.market._exchange.session.close()
        self.broker._client._exchange.session.close()


class TradingCore:
    """The order desk and everything about it, over what is on disk and at the exchange."""

    def __init__(self, warm: Warm, death: Death) -> None:
        self._market = warm.market
        self.books = books = Books(cast("Store", DeadlyStore(warm.store, death)), SystemClock())
        venues = FakeVenues(warm.market, cast("Broker", DeadlyBroker(warm.broker, death)))
        books.load()
        controls = Controls(books, warm.data / "KILL")
        controls.load()
        gateway = Gateway(books, controls, lambda _is_paper: Limits())
        gateway.load()
        self.desk = OrderDesk(books, venues, controls, gateway)
        self._reconciler = Reconciler(books, self.desk, venues)
        books.hold_until_checked()

    def add_bots(self) -> None:
        """Bots that run; two of them share a coin, and all of them the account."""
        now = self.books.clock.now()
        with self.books.writing() as writing:
            for name, symbol in SYMBOLS.items():
                settings = config(
                    name=name, market=MARKET, symbol=symbol, amount=AMOUNT, max_entries=3,
                    reinvest=False, limit_offset_bps=Decimal(5), entry_timeout_s=2,
                    entry_order=EntryOrder.LIMIT if name == PATIENT else EntryOrder.MARKET,
                )  # fmt: skip
                writing.add_bot(
                    bot(settings, id=name, account_id=ACCOUNT, created_at=now, updated_at=now)
                )

    def live(self, script: Script, rounds: int) -> None:
        """Start as an engine does, then go on with the script."""
        self._check()
        until = time.monotonic() + LONGEST_S
        for _ in range(rounds):
            for bot_id in SYMBOLS:
                script.go_on(bot_id)
            if self.books.account_objection(ACCOUNT) is not None:
                self._check()
            if time.monotonic() > until:
                return

    def heal(self, script: Script) -> None:
        """Take everything back and close everything, until books and venue agree. Raises
        TimeoutError."""
        self._check()
        until = time.monotonic() + LONGEST_S
        while any(self.books.working.values()) or self.books.positions:
            if time.monotonic() > until:
                raise TimeoutError(f"not healed: {self.books.working} {self.books.positions}")
            for bot_id in SYMBOLS:
                script.flatten(bot_id)
            time.sleep(NAP_S)
        self._check()

    def _check(self) -> None:
        self._reconciler.check(ACCOUNT, self._market, "script")


class Nursery:
    """Forks a core for each life."""

    def __init__(self, warm: Warm) -> None:
        self._warm = warm
        core = TradingCore(warm, Death(""))
        core.add_bots()
        script = self._script(core, Random(0))
        core.live(script, WARM_ROUNDS)
        core.heal(script)
        warm.disconnect()
        gc.collect()
        gc.freeze()

    def run(self, life: Life) -> str:
        """Let a core live; how that ended: ``killed``, ``alive`` or its exit code."""
        child = os.fork()
        if child == 0:
            os._exit(self._be_core(life))
        if life.kill_after_s is not None:
            time.sleep(life.kill_after_s)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return "killed"
        self._warm.admin.do("release")
        code = os.waitstatus_to_exitcode(status)
        return f"exit {code}" if code else "alive"

    def _be_core(self, life: Life) -> int:
        dice = Random(life.number)
        self._script_faults(life, dice)
        core = TradingCore(self._warm, Death(life.step, life.nth))
        script = self._script(core, dice)
        if life.is_last:
            core.heal(script)
        else:
            core.live(script, life.rounds)
        return 0

    def _script(self, core: TradingCore, dice: Random) -> Script:
        return Script(core.books, core.desk, self._warm.market, self._warm.admin, dice)

    def _script_faults(self, life: Life, dice: Random) -> None:
        if life.trouble:
            fault, on, value = TROUBLE[life.trouble]
            self._warm.admin.do("fault", name=fault, on=on, value=value)
        if life.step in AT_VENUE:
            at = AT_VENUE[life.step]
            self._warm.admin.do("fault", name=at.fault, on=at.on, side=at.side, nth=life.nth,
                                value=os.getpid())  # fmt: skip


def main() -> None:
    """One life for each line until there are no more."""
    data, url = sys.argv[1:]
    apply_chosen()
    nursery = Nursery(Warm(Path(data), url))
    print("ready", flush=True)
    for line in sys.stdin:
        print(nursery.run(Life(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
