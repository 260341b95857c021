"""What trades by itself: cycles, watching, reconciling, and the jobs that have them done."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from engine.bootstrap_advice import Advice
from engine.bootstrap_core import Core
from engine.jobs import Scheduler
from engine.services.check_accounts import AccountChecks
from engine.services.check_bots import Checks
from engine.services.close_checks import CloseChecks
from engine.services.conclude import Concluder
from engine.services.consult import Consultant, Links
from engine.services.findings import Rules
from engine.services.listen_venues import Listening
from engine.services.reconcile import Reconciler
from engine.services.route_entries import EntryRouter
from engine.services.run_cycle import CycleRunner
from engine.services.supervise import Supervisor
from engine.services.waiting_entries import WaitingEntries
from engine.services.warm_up import WarmUp
from engine.services.watch_positions import PositionWatcher


@dataclass(frozen=True)
class Trading:
    """The services that the engine's jobs call."""

    watcher: PositionWatcher
    listening: Listening
    warm_up: WarmUp
    reconciler: Reconciler
    concluder: Concluder
    runner: CycleRunner
    consultant: Consultant
    checks: Checks
    close_checks: CloseChecks
    scheduler: Scheduler
    account_checks: AccountChecks
    supervisor: Supervisor


def build_trading(
    core: Core,
    loop: asyncio.AbstractEventLoop,
    give_up: Callable[[str], None],
    advice: Advice,
) -> Trading:
    """Build them. ``give_up`` ends an engine that may not go on."""
    settings, books, desk, venues = core.settings, core.books, core.desk, core.venues
    lanes, sleep, feed, ledger = core.lanes, core.sleep, core.feed, core.ledger
    watcher = PositionWatcher(books, desk, venues, core.prices, lanes, sleep, feed)
    rules = Rules(foreign_trades=settings.foreign_trades, deposits=settings.deposits)
    reconciler = Reconciler(books, desk, venues, rules, ledger)
    router = EntryRouter(
        books, venues, core.controls, desk.links, lanes, reconciler.is_checked, ledger.free_cash
    )
    concluder = Concluder(
        books, desk, core.controls, ledger.free_cash, enters_on_fallback=settings.fallback_entries
    )

    def check_now(bot_id: str) -> None:
        checks.begin(bot_id)

    consultant = Consultant(
        books, concluder, WaitingEntries(books, concluder, desk), advice.advisor,
        advice.situations, venues, lanes, router, Links(check_now, give_up),
    )  # fmt: skip
    runner = CycleRunner(
        books, concluder, desk, watcher, venues, core.host, feed, core.prices, lanes, router,
        consultant, may_decide=sleep.may_decide,
    )  # fmt: skip
    checks = Checks(runner.run, core.pulse, core.clock, give_up)
    scheduler = Scheduler(core.clock, checks.begin, give_up)
    return Trading(
        watcher=watcher,
        listening=Listening(books, desk, venues, lanes, loop),
        warm_up=WarmUp(books, venues, core.host, feed, lanes, sleep),
        reconciler=reconciler,
        concluder=concluder,
        runner=runner,
        consultant=consultant,
        checks=checks,
        close_checks=CloseChecks(books, feed, sleep, checks.begin),
        scheduler=scheduler,
        account_checks=AccountChecks(
            books, reconciler, venues, lanes, desk.links, settings.reconcile_every_s
        ),
        supervisor=Supervisor(
            books, desk, core.controls, venues, lanes, core.pulse, scheduler, checks.begin, sleep,
            reconciler.ensure_checked,
        ),
    )  # fmt: skip
