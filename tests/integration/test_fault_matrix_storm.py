"""Row 29 of the fault matrix: a strategy that storms is stopped by the gateway's breaker."""

from pathlib import Path

from tests.support.client import Client, eventually
from tests.support.processes import copy_of_quarterdeck

LIMIT = 2

FLIPPING = '''"""Enters at every other second; restless, it leaves at the one between."""

from typing import ClassVar

from engine.domain.candles import Candles
from engine.domain.strategy import Signals, Strategy


class Flipping(Strategy):
    """In and out."""

    title: ClassVar[str] = "Flipping"
    summary: ClassVar[str] = "In and out."
    is_restless: bool = True

    @property
    def warmup(self) -> int:
        """None."""
        return 1

    def signals(self, candles: Candles) -> Signals:
        """By the second."""
        is_even = candles.time // 1000 % 2 == 0
        never = is_even & ~is_even
        return Signals(enter_long=is_even, exit_long=~is_even if self.is_restless else never,
                       enter_short=never, exit_short=never)
'''


def test_row_29_an_order_storm_trips_the_breaker_which_stays_on_after_a_restart(
    tmp_path: Path,
) -> None:
    strategies = tmp_path / "strategies"
    strategies.mkdir()
    (strategies / "flipping.py").write_text(FLIPPING, encoding="utf-8")
    with copy_of_quarterdeck(
        tmp_path / "data",
        QUARTERDECK_STRATEGIES=str(strategies),
        QUARTERDECK_LIMIT_PAPER_ORDERS_PER_MINUTE=str(LIMIT),
        QUARTERDECK_LIMIT_STORM_FACTOR="1",
    ) as copy:
        copy.start_engine()
        client = Client(copy)
        plain = {"strategy": "flipping", "stop_loss": None, "take_profit": None}
        storming = client.create_bot(**plain, name="storming", params={})
        client.create_bot(**plain, name="calm", params={"is_restless": False})
        for name in ("storming", "calm"):
            client.post(f"/bots/{name}/start")

        [control] = eventually(lambda: client.get("/controls"), bool)
        assert (control["scope"], control["key"]) == ("bot", storming["id"])
        assert (control["level"], control["actor"]) == ("pause_entries", "breaker")
        assert f"where {LIMIT} are allowed" in control["reason"]
        sent = [one for one in client.get("/bots/storming/orders") if one["sent_at"]]
        assert len(sent) <= LIMIT, "the limit held before the breaker did"
        told = eventually(lambda: client.get("/events", kind="control"), bool)
        assert (told[0]["level"], told[0]["bot_id"]) == ("error", storming["id"])
        eventually(lambda: client.bot("calm")["position"], bool)

        copy.kill_engine()
        copy.start_engine()
        assert client.get("/controls") == [control]
        vetoes = eventually(
            lambda: [
                one
                for one in client.get("/bots/storming/decisions", limit=5)
                if "pause entries" in one["reason"]
            ],
            bool,
        )
        assert control["reason"] in vetoes[0]["reason"]
        entries = [one for one in client.get("/bots/storming/orders") if one["purpose"] == "entry"]
        assert len([one for one in entries if one["sent_at"]]) <= 1, "nothing was sent since"
        assert client.bot("calm")["position"], "nobody else was stopped"

        client.post("/bots/storming/stop", {})
        client.wait_for_state("storming", "stopped")
        release = {"scope": "bot", "key": "storming", "level": "none"}
        assert client.post("/controls", release)["level"] == "none"
        assert client.get("/controls") == []
