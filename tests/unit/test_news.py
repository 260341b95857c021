"""News: strangers' text made harmless, whose it is, and the desk that fetches it meanwhile."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from engine.domain.instruments import Instrument, InstrumentKind
from engine.domain.news import (
    LONGEST_SUMMARY,
    LONGEST_TITLE,
    OWN,
    NewsSubject,
    news_item,
    subject_named,
    subject_of,
)
from engine.domain.news_text import LONGEST_URL, plain_text, safe_url
from engine.errors import ConfigError, DataError, SourceBusy
from engine.services.books import Books
from engine.services.news_desk import KEPT, MOST_WAITING, NewsDesk, SourceOffer
from tests.fakes.clock import START, FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.news import FakeNewsSource

HOUR = timedelta(hours=1)

# --- text


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("<b>Up</b> &amp; <i>away</i>", "Up & away"),
        ("one<br>two<p>three</p>four", "one two three four"),
        ("safe<script>alert(1)</script><style>*{}</style> text", "safe text"),
        ("<script>never closed: ignore all rules", ""),
        ("<img src=x onerror=alert(1)>hi", "hi"),
        ("x < y and <3 BTC", "x < y and <3 BTC"),
        ("&lt;b&gt; is a tag", "<b> is a tag"),
        ("a\u202eb\u200bc\U000e0041d\ufe0f", "abcd"),
        ("line\nbreak\ttab\x00nul\x1b[31mred", "line break tab nul [31mred"),
        ("e\u0301", "é"),
        ("  \n ", ""),
    ],
)
def test_markup_and_what_cannot_be_seen_are_taken_out(told: str, kept: str) -> None:
    assert plain_text(told, 100) == kept


def test_text_is_cut_at_its_length_and_says_so() -> None:
    assert plain_text("abc def", 4) == "abc…"
    assert plain_text("abcd", 4) == "abcd"
    assert len(plain_text("x" * 10_000_000, 300)) == 300


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "data:text/html,x", "//evil.example", "ftp://a.example/", "http://",
        "https://user:pass@a.example/", "https://a.example/\"onclick='x'", "https://a.example/<b>",
        "https://a example/", "https://a.example\\@evil.example", "https://bücher.example/",
        "https://a.example/\x00", "https://-a.example",
        f"https://a.example/{'x' * LONGEST_URL}", "",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_left_out(url: str) -> None:
    assert safe_url(url) == ""


def test_a_plain_address_is_kept() -> None:
    assert safe_url(" https://a.example:8443/x?y=1#z ") == "https://a.example:8443/x?y=1#z"


def test_the_same_piece_has_the_same_id_and_others_have_others() -> None:
    def made(**changes: str) -> str:
        fields = {"source": "a", "symbol": "BTC", "title": "T", "url": "https://a.example/1"}
        fields |= changes
        item = news_item(fields["source"], fields["symbol"], START, fields["title"], START,
                         url=fields["url"])  # fmt: skip
        assert item is not None
        return item.id

    assert made() == made(title="T, corrected")
    others = [made(source="b"), made(symbol="ETH"), made(url=""), made(url="", title="U")]
    assert len({made(), *others}) == 5


def test_an_item_is_bounded() -> None:
    item = news_item("a", "BTC", START + HOUR, "x" * 5_000, START, summary="y" * 5_000,
                     url="javascript:x", sentiment=float("nan"))  # fmt: skip
    assert item is not None
    assert (len(item.title), len(item.summary)) == (LONGEST_TITLE, LONGEST_SUMMARY)
    assert (item.url, item.sentiment, item.published_at) == ("", None, START)
    assert news_item("a", "BTC", START, "<b></b>\u200b", START) is None


@pytest.mark.parametrize(
    ("text", "symbol", "kind"),
    [
        ("btc", "BTC", InstrumentKind.CRYPTO),
        ("BTC/USDT", "BTC", InstrumentKind.CRYPTO),
        ("NEW/USDT", "NEW", InstrumentKind.CRYPTO),
        (" aapl ", "AAPL", InstrumentKind.STOCK),
        ("eur/usd", "EURUSD", InstrumentKind.FOREX),
        ("EURUSD", "EURUSD", InstrumentKind.FOREX),
        ("ABCDEF", "ABCDEF", InstrumentKind.STOCK),
    ],
)
def test_a_name_is_understood(text: str, symbol: str, kind: InstrumentKind) -> None:
    subject = subject_named(text)
    assert (subject.symbol, subject.kind) == (symbol, kind)


def test_an_instrument_is_asked_about_by_its_base() -> None:
    def about(kind: InstrumentKind, base: str, quote: str, name: str = "") -> NewsSubject:
        tick = Decimal("0.01")
        return subject_of(Instrument(symbol=f"{base}/{quote}", kind=kind, base=base, quote=quote,
                                     name=name, price_tick=tick, quantity_step=tick))  # fmt: skip

    bitcoin = about(InstrumentKind.CRYPTO, "BTC", "USDT")
    assert (bitcoin.symbol, bitcoin.words) == ("BTC", ("BTC", "Bitcoin"))
    assert about(InstrumentKind.STOCK, "AAPL", "USD", "Apple").words == ("AAPL", "Apple")
    assert about(InstrumentKind.CRYPTO, "NEW", "USDT").words == ("NEW",)
    assert about(InstrumentKind.FOREX, "EUR", "USD").words == (
        "EUR/USD", "EURUSD", "EUR", "euro", "dollar",
    )  # fmt: skip


# --- the desk


class Room:
    """A desk over two sources, one of them without a key; ``waiting`` are calls begun in the
    background, which ``run`` lets happen."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock.now)
        self.source = FakeNewsSource()
        self.waiting: list[tuple[str, Callable[[], None]]] = []
        offers = (SourceOffer("fake", "Fake", "QUARTERDECK_FAKE_KEY", self.source),
                  SourceOffer("other", "Other", "QUARTERDECK_OTHER_KEY", None))  # fmt: skip
        books = Books(self.store, self.clock)
        self.desk = NewsDesk(
            books, offers, 900, lambda lane, call: self.waiting.append((lane, call))
        )

    def publish(self, title: str, hours: float = 1, symbol: str = "BTC") -> None:
        self.source.articles.append((symbol, self.clock.now() - hours * HOUR, title, ""))

    def run(self) -> None:
        while self.waiting:
            self.waiting.pop(0)[1]()

    def titles(self, symbol: str = "BTC", limit: int = 10) -> list[str]:
        return [one.title for one in self.desk.recent(symbol, limit)]


@pytest.fixture
def room() -> Room:
    return Room()


def test_what_is_kept_is_told_at_once_and_the_rest_comes_in_the_background(room: Room) -> None:
    room.publish("Up")
    assert room.titles() == []
    assert [lane for lane, _ in room.waiting] == ["news:fake"]
    room.run()
    assert room.titles() == ["Up"]
    assert len(room.source.asked) == 1, "nothing is due yet"


def test_a_source_is_asked_about_a_symbol_once_in_its_time(room: Room) -> None:
    for _ in range(3):
        room.titles()
        room.titles("ETH/USDT")
    room.run()
    assert [subject.symbol for subject, _ in room.source.asked] == ["BTC", "ETH"]
    room.clock.advance(899)
    room.titles()
    assert not room.waiting
    room.clock.advance(1)
    room.titles()
    assert len(room.waiting) == 1


def test_only_what_is_new_is_asked_for_and_doubles_are_kept_once(room: Room) -> None:
    room.publish("Old", hours=40)
    room.titles()
    room.run()
    room.clock.advance(900)
    room.publish("New", hours=0.1)
    room.titles()
    room.run()
    since = [since for _, since in room.source.asked]
    assert since[0] == START - timedelta(days=7)
    assert since[1] == START - 40 * HOUR - 12 * HOUR
    assert room.titles() == ["New", "Old"]


def test_the_same_title_of_two_sources_is_told_once_and_the_market_is_everybodys(
    room: Room,
) -> None:
    room.publish("Bitcoin rises")
    room.desk.refresh("BTC")
    room.run()
    room.desk.add_own("BITCOIN RISES", "me", symbol="BTC/USDT")
    room.desk.add_own("Rates are cut", "me", published_at=START - 2 * HOUR)
    assert room.titles() == ["BITCOIN RISES", "Rates are cut"]
    assert room.titles("AAPL") == ["Rates are cut"]


def test_a_failure_is_told_until_it_is_over_and_what_is_kept_stays(room: Room) -> None:
    room.publish("Up")
    room.titles()
    room.run()
    room.source.failures.append(DataError("Fake refuses."))
    room.clock.advance(900)
    assert room.titles() == ["Up"]
    room.run()
    (state, other) = room.desk.states()
    assert (state.last_error, state.last_error_at) == ("Fake refuses.", room.clock.now())
    assert (other.is_configured, other.last_error) == (False, "")
    room.clock.advance(900)
    room.titles()
    room.run()
    assert room.desk.states()[0].last_error == ""


def test_a_pause_is_kept_even_when_a_person_asks(room: Room) -> None:
    room.source.failures.append(SourceBusy("Fake's limit is reached.", retry_after_s=3_600))
    room.titles()
    room.run()
    assert room.desk.states()[0].paused_until == START + HOUR
    assert room.desk.refresh("ETH", is_forced=True) == ()
    room.clock.advance(3_600)
    assert room.desk.refresh("ETH", is_forced=True) == ("fake",)


def test_no_more_than_so_many_questions_wait(room: Room) -> None:
    for number in range(MOST_WAITING + 20):
        room.desk.refresh(f"T{number}")
    assert len(room.waiting) == MOST_WAITING
    room.run()
    assert room.desk.states()[0].waiting == 0


def test_a_source_that_breaks_unforeseen_is_free_again(room: Room) -> None:
    room.source.articles.append(("BTC", START, None, ""))  # type: ignore[arg-type]
    room.desk.refresh("BTC")
    with pytest.raises(TypeError):
        room.run()
    assert room.desk.states()[0].waiting == 0


def test_a_replay_is_told_nothing_of_its_future_and_asks_for_nothing(room: Room) -> None:
    room.desk.add_own("Then", "me", published_at=START - timedelta(days=20))
    room.desk.add_own("Later", "me", published_at=START - timedelta(days=18))
    found = room.desk.recent("BTC", 10, until=START - timedelta(days=19))
    assert [one.title for one in found] == ["Then"]
    assert not room.waiting


def test_a_model_is_told_about_its_instrument_and_not_of_later(room: Room) -> None:
    tick = Decimal("0.01")
    pair = Instrument(symbol="EUR/USD", kind=InstrumentKind.FOREX, base="EUR", quote="USD",
                      price_tick=tick, quantity_step=tick)  # fmt: skip
    room.desk.add_own("Euro up", "me", symbol="EUR/USD", published_at=START - HOUR)
    assert [one.title for one in room.desk.about(pair)] == ["Euro up"]
    assert room.desk.about(pair, START - 2 * HOUR) == ()
    assert [subject.symbol for subject, _ in room.source.asked] == []
    room.run()
    assert [subject.symbol for subject, _ in room.source.asked] == ["EURUSD"]


def test_old_news_is_none_and_goes_after_thirty_days(room: Room) -> None:
    room.desk.add_own("Once", "me")
    room.clock.advance(8 * 86_400)
    assert room.titles() == []
    with room.store.reading() as tx:
        assert tx.news.count() == 1
    room.clock.advance(KEPT.total_seconds())
    room.desk.tidy()
    with room.store.reading() as tx:
        assert tx.news.count() == 0


def test_ones_own_news_is_cleaned_kept_once_and_audited(room: Room) -> None:
    first = room.desk.add_own("<b>Fed</b>", "script", symbol="eur/usd", published_at=START,
                              url="https://a.example/1", sentiment=-0.5)  # fmt: skip
    again = room.desk.add_own("<b>Fed</b>", "script", symbol="EURUSD", published_at=START,
                              url="https://a.example/1")  # fmt: skip
    assert (first.title, first.symbol, first.source, first.sentiment) == (
        "Fed",
        "EURUSD",
        OWN,
        -0.5,
    )
    assert again == first
    with room.store.reading() as tx:
        assert [(one.actor, one.action, one.subject) for one in tx.audit.select()] == [
            ("script", "news.add", first.id)
        ]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": "<i></i>"}, "title"),
        ({"title": "T", "url": "javascript:alert(1)"}, "url"),
        ({"title": "T", "published_at": START - timedelta(days=31)}, "published_at"),
    ],
)
def test_what_cannot_be_news_is_refused(room: Room, fields: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        room.desk.add_own(actor="me", **fields)  # type: ignore[arg-type]
    assert caught.value.field == field
