"""Markets and brokers by id: made once, a replay once a bot; one engine a data folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.adapters.market_data.simulated import SimulatedMarket
from engine.errors import ConfigError, NotFound
from engine.locks import FolderLock
from engine.ports import Broker, MarketData
from engine.services.registry import MarketKind, VenueRegistry
from tests.fakes.broker import ScriptedBroker
from tests.fakes.clock import FakeClock
from tooling.place import ROOT


def make_registry() -> VenueRegistry:
    """A shared kind of market and a stepped one."""

    def make(_market_id: str) -> MarketData:
        return SimulatedMarket(7, FakeClock())

    def paper(account_id: str, _market: MarketData) -> Broker:
        return ScriptedBroker(account_id)

    kinds = {
        "simulated": MarketKind(make, lambda: ["simulated"]),
        "replay": MarketKind(make, lambda: ["replay:a.csv"], is_stepped=True),
    }
    return VenueRegistry(kinds, {"paper": paper})


def test_a_market_is_shared_and_a_replay_is_a_bots_own() -> None:
    venues = make_registry()
    assert venues.market("simulated", "a") is venues.market("simulated", "b")
    assert venues.market("replay:a.csv", "a") is venues.market("replay:a.csv", "a")
    assert venues.market("replay:a.csv", "a") is not venues.market("replay:a.csv", "b")
    assert venues.market_ids() == ["simulated", "replay:a.csv"]


def test_accounts_follow_their_market_and_a_forgotten_replay_is_made_anew() -> None:
    venues = make_registry()
    assert venues.account_of("simulated", "a") == "paper:simulated"
    account = venues.account_of("replay:a.csv", "a")
    market = venues.market("replay:a.csv", "a")
    broker = venues.broker(account, market)
    assert venues.broker(account, market) is broker
    venues.forget("a")
    assert venues.market("replay:a.csv", "a") is not market
    assert venues.broker(account, market) is not broker


def test_what_is_unknown_is_said() -> None:
    venues = make_registry()
    with pytest.raises(NotFound, match="there are simulated, replay"):
        venues.market("nope")
    with pytest.raises(NotFound, match="live:x"):
        venues.broker("live:x", venues.market("simulated"))


HOLD_THE_LOCK = """
import sys, time
from pathlib import Path
from engine.locks import FolderLock
lock = FolderLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_a_folder_is_held_by_one_process_and_freed_by_its_death(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD_THE_LOCK, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match=f"process {holder.pid}"):
            FolderLock(tmp_path).acquire()
        holder.kill()
        holder.wait()
        lock = FolderLock(tmp_path)
        lock.acquire()
        lock.release()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="QUARTERDECK_DATA"):
        FolderLock(tmp_path / "file" / "data").acquire()
