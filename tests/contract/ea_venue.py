"""Accounts over the stand-in of an Expert Advisor, put together as the engine does."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.adapters.brokers.mt5_ea.broker import AdvisorBroker
from engine.adapters.brokers.mt5_ea.inspection import Inspector
from engine.adapters.brokers.mt5_ea.link import Link
from engine.adapters.brokers.mt5_ea.options import EA_MAGIC
from engine.adapters.market_data.pushed import PushedMarket
from engine.domain.venue_accounts import Mode
from tests.contract.brokers import Venue
from tests.fakes.clock import FakeClock
from tests.fakes.expert_advisor import DeskWire, ExpertAdvisor
from tests.fakes.memory_store import MemoryStore
from tests.fakes.metatrader5 import CRYPTO, StandIn, stocked
from tests.fakes.metatrader_desk import Bridge, bridge_over


@dataclass
class EaVenue(Venue):
    """A venue that knows the terminal, the advisor and the engine's side of it."""

    clock: FakeClock = field(kw_only=True)
    stand_in: StandIn = field(kw_only=True)
    wire: DeskWire = field(kw_only=True)
    advisor: ExpertAdvisor = field(kw_only=True)
    bridge: Bridge = field(kw_only=True)
    link: Link = field(kw_only=True)

    def inspector(self) -> Inspector:
        """What a test of the account asks."""
        return Inspector(self.link, self.market)

    def reopened(self, **changes: Any) -> AdvisorBroker:
        """The broker with something else in its options."""
        link = Link(**({name: getattr(self.link, name) for name in Link.__annotations__} | changes))
        assert isinstance(self.market, PushedMarket)
        return _broker(link, self.market, self.advisor)


def ea_venue(folder: Path, *, is_hedging: bool = False, **world: Any) -> EaVenue:
    """A terminal with an advisor that was just put on its chart, and an account over it."""
    clock = FakeClock()
    stand_in = stocked(clock.now, is_hedging=is_hedging, **world)
    bridge = bridge_over(MemoryStore(clock.now), clock)
    wire = DeskWire(bridge.desk)
    advisor = ExpertAdvisor(
        stand_in, wire, folder / "quarterdeck.txt", magic=EA_MAGIC, symbols=(CRYPTO,),
        most_bars=60,
    )  # fmt: skip
    login = str(stand_in.world.login)
    link = Link(login, str(EA_MAGIC), Mode.TEST, is_hedging, bridge.terminals, clock)
    market = PushedMarket("account:ea", login, bridge.terminals, clock)
    world_of, start = stand_in.world, stand_in.world.symbols[CRYPTO].price

    def step() -> None:
        for share in ("0.997", "1.003", "1"):
            clock.advance(20)
            world_of.set_price(CRYPTO, start * Decimal(share))
            advisor.tick()

    def thin_out() -> None:
        world_of.symbols[CRYPTO].depth = Decimal("0.5")

    venue = EaVenue(
        _broker(link, market, advisor), market, CRYPTO, step,
        lambda: _broker(link, market, advisor), thin_out,
        is_margin=True, nets=not is_hedging, only_opens=is_hedging,
        clock=clock, stand_in=stand_in, wire=wire, advisor=advisor, bridge=bridge, link=link,
    )  # fmt: skip
    for _ in range(2):  # the second has the bars that the engine asks for
        clock.advance(5)
        advisor.tick()
    return venue


def _broker(link: Link, market: PushedMarket, advisor: ExpertAdvisor) -> AdvisorBroker:
    """Waiting for the advisor lets it ask."""

    def wait(seconds: float) -> None:
        advisor.tick()

    return AdvisorBroker("test:ea", link, market, wait=wait)
