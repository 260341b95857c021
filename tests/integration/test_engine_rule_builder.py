"""Rules from end to end: saved over the API, a bot decides and trades by them, then they go."""

from pathlib import Path
from typing import Any

from tests.support.client import Client, eventually
from tests.support.processes import copy_of_quarterdeck

RULES: dict[str, Any] = {
    "title": "Nervous",
    "long_entry": {
        "join": "any",
        "conditions": [
            {"left": {"source": "rsi", "params": {"period": "length"}}, "test": "below",
             "right": {"source": "number", "params": {"value": 50}}},
            {"left": {"source": "close"}, "test": "falling", "count": 2},
        ],
    },
    "long_exit": {
        "conditions": [
            {"left": {"source": "rsi", "params": {"period": "length"}}, "test": "above",
             "right": {"source": "number", "params": {"value": 55}}},
        ]
    },
    "parameters": [{"name": "length", "default": 5, "least": 2, "most": 20, "is_whole": True}],
}  # fmt: skip


def test_a_bot_decides_by_rules_that_were_saved(tmp_path: Path) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    with copy_of_quarterdeck(tmp_path / "data", QUARTERDECK_STRATEGIES=str(folder)) as copy:
        copy.start_engine()
        client = Client(copy)
        client.call("PUT", "/rules/nervous", json=RULES, params={"is_new": "true"})
        assert (folder / "nervous.rules.json").exists()
        trial = client.post("/rules/preview", {"rules": RULES, "timeframe": "1s", "limit": 300})
        assert trial["entries"] > 0
        eventually(
            lambda: [one["id"] for one in client.get("/strategies")], lambda ids: ids == ["nervous"]
        )
        client.create_bot(name="ruled", strategy="nervous", params={"length": 3}, amount="500")
        client.post("/bots/ruled/start")
        eventually(lambda: client.bot("ruled")["trade_count"], lambda n: n >= 1)
        decisions = client.get("/bots/ruled/decisions")
        reasons = [one["reason"] for one in decisions if one["action"] == "enter_long"]
        assert reasons and all(one.startswith("enter long: RSI(length) ") for one in reasons)
        chart = client.get("/bots/ruled/chart", limit=60)
        assert [series["name"] for series in chart["series"]] == ["RSI 3"]

        assert client.ask("PUT", "/rules/nervous", json=RULES).status_code == 409
        assert client.ask("DELETE", "/rules/nervous").status_code == 409
        client.post("/bots/ruled/stop", {"close_position": True})
        client.wait_for_state("ruled", "stopped")
        client.call("DELETE", "/bots/ruled")
        client.call("DELETE", "/rules/nervous")
        assert list(folder.iterdir()) == []
        actions = [entry["action"] for entry in client.get("/audit")]
        assert {"rules.save", "rules.delete"} <= set(actions)
