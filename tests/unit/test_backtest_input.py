"""What can be wrong with a backtest: each defect has its own sentence, at its own field."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from engine.adapters.market_data.candle_folder import CandleFolder
from engine.domain.backtest_runs import BacktestRequest, FileSource, MarketSource
from engine.domain.backtests import BacktestTerms
from engine.domain.bots import Direction, ExitRules, RoiStep
from engine.domain.money import from_epoch_ms
from engine.errors import NotFound, QuarterdeckError
from engine.services import backtest_candles
from engine.services.backtest_plans import require_possible
from tests.fakes.backtests import BacktestRoom
from tests.fakes.candles import random_candles

HOUR_MS = 3_600_000
GOOD = "BTC-USD.1h.csv"
Rows = list[list[str]]


def rows(count: int = 400) -> Rows:
    """Sound candles as the cells of a CSV."""
    candles = random_candles(count, 3, timeframe="1h")
    return [
        [from_epoch_ms(bar.open_ms).isoformat(), f"{bar.open}", f"{bar.high}", f"{bar.low}",
         f"{bar.close}", f"{bar.volume}"]
        for bar in candles.bars()
    ]  # fmt: skip


def write(folder: Path, name: str, table: Rows) -> None:
    """A candle file."""
    lines = ["timestamp,open,high,low,close,volume", *(",".join(row) for row in table)]
    (folder / name).write_text("\n".join(lines) + "\n")


@pytest.fixture
def room(tmp_path: Path) -> BacktestRoom:
    """Services over a folder with one good file."""
    write(tmp_path, GOOD, rows())
    return BacktestRoom(candle_files=CandleFolder(tmp_path))


def asked(*files: str, **changes: Any) -> BacktestRequest:
    """A backtest of files."""
    fields: dict[str, Any] = {
        "strategy": "rsi", "source": FileSource(files=files or (GOOD,)), "timeframe": "1h",
    }  # fmt: skip
    return BacktestRequest(**(fields | changes))


def swapped(table: Rows) -> None:
    table[10], table[11] = table[11], table[10]


def doubled(table: Rows) -> None:
    table.insert(10, table[10])


def cell(place: int, text: str) -> Callable[[Rows], None]:
    def change(table: Rows) -> None:
        table[10][place] = text

    return change


def cut(table: Rows) -> None:
    del table[1:]


DEFECTS = [
    (swapped, r"earlier than that of the row before in line 13"),
    (doubled, r"that of the row before in line 13"),
    (cell(4, "nan"), r"close is 'nan', which is no number in line 12"),
    (cell(1, ""), r"open is .*no number in line 12"),
    (cell(3, "-1"), r"a price is not above zero in line 12"),
    (cell(2, "0.001"), r"high is below .* in line 12"),
    (cell(5, "-1"), r"the volume is negative in line 12"),
    (cell(0, "soon"), r"timestamp 'soon' is not a time in line 12"),
    (cut, r"fewer than two candles"),
]


@pytest.mark.parametrize(("defect", "sentence"), DEFECTS)
def test_a_bad_file_is_told_with_its_line(
    room: BacktestRoom, tmp_path: Path, defect: Callable[[Rows], None], sentence: str
) -> None:
    table = rows(50)
    defect(table)
    write(tmp_path, "ETH-USD.1h.csv", table)
    with pytest.raises(QuarterdeckError, match=sentence) as caught:
        room.service.create(asked("ETH-USD.1h.csv"), "me")
    assert caught.value.field == "source.files"
    assert room.service.list(limit=1)[1] == 0


def market(**changes: Any) -> dict[str, Any]:
    """A request's fields for the simulated market."""
    source: dict[str, Any] = {"market": "simulated", "symbols": ("BTC/USDT",)} | changes
    return {"source": MarketSource(**source), "since": datetime(2026, 1, 1, tzinfo=UTC)}


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"strategy": "nothing"}, "strategy", "no strategy 'nothing'"),
    ({"params": {"period": 0}}, "params.period", "must be at least"),
    ({"params": {"period": float("nan")}}, "params.period", "finite number"),
    ({"params": {"speed": 1}}, "params.speed", "not a parameter"),
    ({"source": FileSource(files=("../state.db",))}, "source.files", "no candle file"),
    ({"timeframe": "30m"}, "timeframe", "cannot be joined to 30m"),
    ({"since": datetime(2030, 1, 1, tzinfo=UTC)}, "since", "has 0 1h candles .* another period"),
    ({"until": datetime(1970, 1, 1, 5, tzinfo=UTC)}, "since", "Too few candles: .* has 5 of 1h"),
    ({"terms": BacktestTerms(amount=Decimal(20_000))}, "terms.amount", "more than the cash"),
    (market(market="nowhere"), "source.market", "no market 'nowhere'"),
    (market(market="replay:/x/BTC-USD.csv"), "source.market", "choose the file itself"),
    (market(symbols=("NO/PE",)), "source.symbols", "no symbol 'NO/PE'"),
    (market(symbols=("BTC/USDT", "AAPL")), "source.symbols", "paid in USD and USDT"),
    (market() | {"since": None}, "since", "Say from when"),
    (market() | {"until": datetime(2026, 1, 1, 0, 30, tzinfo=UTC)}, "since", "No 1h candle closes"),
    (market(fine_timeframe="2h"), "source.fine_timeframe", "1h is not a multiple of 2h"),
    (market(fine_timeframe="7m"), "source.fine_timeframe", "has candles of"),
    (market(fine_timeframe="1s"), "since", "candles; a backtest takes"),
]


@pytest.mark.parametrize(("changes", "field", "sentence"), REFUSED)
def test_what_cannot_be_tested_is_refused_at_its_field(
    room: BacktestRoom, changes: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(QuarterdeckError, match=sentence) as caught:
        room.service.create(asked(**changes), "me")
    assert caught.value.field == field
    assert room.service.list(limit=1)[1] == 0


def test_what_cannot_be_sold_short_is_refused(room: BacktestRoom, tmp_path: Path) -> None:
    cannot = room.files.read(GOOD)
    short = BacktestTerms(direction=Direction.BOTH)
    room.files = room.planner._reader._files = _Only(cannot)
    with pytest.raises(QuarterdeckError, match="cannot be sold short") as caught:
        room.service.create(asked(terms=short), "me")
    assert caught.value.field == "terms.direction"


class _Only:
    """Candle files with one that cannot be sold short."""

    def __init__(self, content: Any) -> None:
        symbol = content.instrument.model_copy(update={"can_short": False})
        self._content = type(content)(symbol, content.candles, content.market_id)

    def names(self) -> list[str]:
        return [GOOD]

    def read(self, name: str) -> Any:
        return self._content


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"timeframe": "7m"}, "unknown timeframe"),
        ({"source": {"kind": "files", "files": ()}}, "at least 1 item"),
        ({"source": {"kind": "files", "files": ("a", "a")}}, "name each one once"),
        ({"source": {"kind": "ether"}}, "does not match any of the expected tags"),
        ({"terms": {"cash": "0"}}, "greater than 0"),
        ({"terms": {"fee_bps": "NaN"}}, "finite"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "before until"),
        ({"since": "2026-01-02T00:00:00"}, "time zone"),
        (
            {"terms": BacktestTerms(exits=ExitRules(roi_steps=(
                RoiStep(after_s=60, profit=Decimal(1)), RoiStep(after_s=60, profit=Decimal(2)))))},
            "ROI steps must be in order",
        ),
        ({"speed": 1}, "Extra inputs"),
    ],
)  # fmt: skip
def test_a_malformed_request_is_no_request(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        asked(**changes)


def test_the_same_symbol_twice_is_refused(room: BacktestRoom, tmp_path: Path) -> None:
    write(tmp_path, "BTC-USD.csv", rows())
    with pytest.raises(QuarterdeckError, match="the same symbol"):
        room.service.preview(asked(GOOD, "BTC-USD.csv"))


def test_a_file_is_found_by_the_name_that_the_candle_library_gives_it(room: BacktestRoom) -> None:
    by_name, by_id = (room.service.preview(asked(name)) for name in (GOOD, "BTC-USD.1h~csv"))
    assert by_name.coverage[0].first == by_id.coverage[0].first


def test_gaps_and_a_short_history_are_told_and_do_not_stop_it(
    room: BacktestRoom, tmp_path: Path
) -> None:
    table = rows(300)
    del table[100:130], table[200:201]
    write(tmp_path, "ETH-USD.1h.csv", table)
    plan = room.service.preview(asked("ETH-USD.1h.csv"))
    [coverage] = plan.coverage
    assert (coverage.gaps, coverage.missing, coverage.longest_gap_s) == (2, 31, 30 * 3600)
    words = " ".join(plan.warnings)
    assert "2 gaps with 31 missing 1h candles, the longest of 1.25 days" in words
    assert "the first 15 of 269 candles only warm the strategy up" in words
    assert plan.problem == ""


def test_a_preview_says_why_it_would_not_run_and_shows_what_there_is(room: BacktestRoom) -> None:
    plan = room.service.preview(asked(until=datetime(1970, 1, 1, 5, tzinfo=UTC)))
    assert plan.coverage[0].bars == 5
    assert plan.problem.startswith("Too few candles")
    with pytest.raises(QuarterdeckError):
        require_possible(plan)


def test_a_market_is_asked_in_chunks_and_only_for_what_is_wanted(
    room: BacktestRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest_candles, "CHUNK", 100)
    request = asked(
        **market(fine_timeframe="30m"), until=datetime(2026, 1, 11, tzinfo=UTC), params={}
    )
    seen: list[float] = []
    plan = room.planner.prepare(room.planner.preview(request).request, seen.append)
    [leg] = plan.legs
    assert len(seen) > 5
    assert seen == sorted(seen)
    assert (leg.coverage.bars, leg.coverage.fine_bars) == (240, 480)
    assert leg.start == 600
    assert leg.coverage.gaps == 0
    assert from_epoch_ms(int(leg.traded.time[0])) == request.since
    assert from_epoch_ms(int(leg.candles.time[-1]) + HOUR_MS) == request.until


def test_an_unknown_run_is_not_found(room: BacktestRoom) -> None:
    with pytest.raises(NotFound, match="no backtest 'x'"):
        room.service.get("x")
