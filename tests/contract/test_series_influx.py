"""The adapter of InfluxDB, through its own client, over a server that behaves and misbehaves."""

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from engine.adapters.series.influx import InfluxSink
from engine.domain.measurements import SeriesPoint
from engine.errors import SinkError
from tests.fakes.influx import TOKEN, LoopbackInflux, loopback_influx
from tests.support.ports import free_port

POINT = SeriesPoint(
    "bot_cycles",
    {"bot": "my bot, the =1st", "symbol": "BTC/USDT", "action": "hold"},
    {"lateness_s": 0.25, "retcode": 3, "is_right": True, "outcome": 'he said "no"\\'},
    1_700_000_000_123_456_789,
)


@pytest.fixture
def server() -> Iterator[LoopbackInflux]:
    with loopback_influx() as server:
        yield server


def sink_of(server: LoopbackInflux, token: str = TOKEN, timeout_ms: int = 10_000) -> InfluxSink:
    return InfluxSink(server.url, "my org", "my bucket", token, timeout_ms)


def test_points_are_lines_with_escapes_and_the_types_of_the_table(server: LoopbackInflux) -> None:
    sink = sink_of(server)
    assert sink.write([POINT]) == 0
    sink.close()
    assert server.lines == [
        r"bot_cycles,action=hold,bot=my\ bot\,\ the\ \=1st,symbol=BTC/USDT "
        r'is_right=true,lateness_s=0.25,outcome="he said \"no\"\\",retcode=3i '
        "1700000000123456789"
    ]
    assert server.queries == [{"org": "my org", "bucket": "my bucket", "precision": "ns"}]


@pytest.mark.parametrize(
    ("status", "to_do"),
    [
        (400, "see the server's own log"),
        (401, "set QUARTERDECK_INFLUX_TOKEN to a token that may write"),
        (403, "give the token of QUARTERDECK_INFLUX_TOKEN write access"),
        (404, "make the bucket"),
        (413, "take larger bodies"),
        (429, "it asks for a pause"),
        (500, "see the server's own log"),
        (503, "it is starting or overloaded"),
    ],
)
def test_what_it_refuses_is_said_with_what_to_do(
    server: LoopbackInflux, status: int, to_do: str
) -> None:
    server.answer(status, f"in its own words, not {TOKEN}", Retry_After="7")
    with pytest.raises(SinkError, match=to_do) as raised:
        sink_of(server).write([POINT])
    assert f"answered {status} (in its own words, not ***)" in raised.value.message
    assert raised.value.retry_after_s == 7
    assert server.lines == []


@pytest.mark.parametrize(
    ("status", "message", "refused"),
    [
        (422, "failure writing points to database: partial write: points beyond retention policy"
         " dropped=3", 3),
        (400, "partial write: field type conflict: input field x is type string dropped=1", 1),
        (422, "unprocessable entity", 1),
    ],
)  # fmt: skip
def test_a_batch_that_is_stored_in_part_is_not_sent_again(
    server: LoopbackInflux, status: int, message: str, refused: int
) -> None:
    server.answer(status, message)
    assert sink_of(server).write([POINT] * 5) == refused


def test_a_server_that_is_not_there_or_hangs(server: LoopbackInflux) -> None:
    nobody = InfluxSink(f"http://127.0.0.1:{free_port()}", "o", "b", TOKEN)
    with pytest.raises(SinkError, match="cannot be reached"):
        nobody.write([POINT])
    server.mode = "hang"
    with pytest.raises(SinkError, match="QUARTERDECK_INFLUX_URL is its address"):
        sink_of(server, timeout_ms=50).write([POINT])


def test_the_client_is_loaded_by_the_first_write_and_no_sooner() -> None:
    code = (
        "import sys; from engine.adapters.series.influx import InfluxSink; "
        "from engine.api.metrics_page import MetricsPage; "
        "InfluxSink('http://127.0.0.1:1', 'o', 'b', 't').close(); "
        "print([m for m in sys.modules if m in ('influxdb_client', 'prometheus_client')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_answer_that_never_ends_holds_only_its_own_thread(server: LoopbackInflux) -> None:
    server.mode = "drip"
    sink = sink_of(server, timeout_ms=500)
    over: list[object] = []

    def write() -> None:
        try:
            over.append(sink.write([POINT]))
        except SinkError as error:
            over.append(error)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    assert server.arrived.wait(90)
    assert over == []
    server.released.set()
    thread.join(90)
    assert over == [0]  # it has said 204, and what it adds does not matter
