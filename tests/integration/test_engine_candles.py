"""A download in a real engine: killed in the middle, resumed to the last candle."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from engine.links.candle_files import read_candles
from tests.fakes.candle_vendors import candle_vendors
from tests.support.client import Client, eventually
from tests.support.processes import copy_of_quarterdeck

DAYS = 18  # three requests to Yahoo
SET_ID = "AAPL.1m@yahoo"


def test_a_download_survives_the_death_of_its_engine(tmp_path: Path) -> None:
    since = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=DAYS)
    with (
        candle_vendors() as yahoo,
        copy_of_quarterdeck(tmp_path / "data", QUARTERDECK_YAHOO_URL=yahoo.url) as copy,
    ):
        yahoo.held_from = 2
        copy.start_engine()
        client = Client(copy)
        asked = {"source": "yahoo", "symbol": "aapl", "timeframe": "1m",
                 "since": since.isoformat()}  # fmt: skip
        client.post("/candles/downloads", asked)
        eventually(lambda: len(yahoo.asked), lambda count: count == 3)
        copy.kill_engine()
        copy.start_engine()
        [cut] = client.get("/candles/downloads")
        assert cut["state"] == "interrupted"
        assert cut["bars"] > 0
        assert len(client.get("/candles")) == 1
        yahoo.held_from = 1_000_000
        yahoo.released.set()
        client.post(f"/candles/downloads/{cut['id']}/resume")
        done = eventually(lambda: client.get("/candles/downloads")[0],
                          lambda one: one["state"] in ("done", "failed"))  # fmt: skip
        assert done["state"] == "done", done
        assert int(yahoo.asked[3]["period1"]) > int(yahoo.asked[0]["period1"]), "it went on"
        assert f"replay:{tmp_path}/data/candles/{SET_ID}.parquet" in {
            one["id"] for one in client.get("/markets")
        }
        assert copy.stop_engine() == 0
    _, candles = read_candles(SET_ID, tmp_path / "data" / "candles")
    assert len(candles) >= DAYS * 1440 - 1
    assert (np.diff(candles.time) == 60_000).all()
