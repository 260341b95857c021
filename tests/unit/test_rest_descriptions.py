"""Descriptions of platforms: the example is sound, and each mistake has a sentence of its own."""

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from textwrap import dedent

import jmespath
import pytest

from engine.adapters.brokers.rest.description import Description, Meaning
from engine.adapters.brokers.rest.endpoints import Endpoints
from engine.adapters.brokers.rest.loading import (
    EXAMPLE_FILE,
    MOST_BYTES,
    BadDescription,
    find_description,
    load_description,
    read_description,
)
from engine.domain.orders import OrderState, OrderType, TimeInForce
from engine.errors import ConfigError
from tooling.place import ROOT

EXAMPLE = EXAMPLE_FILE.read_text("utf-8")


def swapped(old: str, new: str) -> Callable[[], str]:
    """The example with one thing changed; fails when it does not have it."""

    def text() -> str:
        assert old in EXAMPLE
        return EXAMPLE.replace(old, new, 1)

    return text


BROKEN: dict[str, tuple[Callable[[], str], str]] = {
    "empty": (str, r"line 1: it is no mapping; begin with 'version: 1'"),
    "a list": (lambda: "- a\n- b", r"it is no mapping"),
    "a tab": (swapped("  test: https", "\ttest: https"), r"line 15: this is no YAML.*use spaces"),
    "open bracket": (swapped("rows: instruments", "rows: [instruments"), r"this is no YAML"),
    "an anchor": (swapped("name: Example", "name: &a Example"), r"line 10: anchors and aliases"),
    "an alias": (lambda: "a: 1\nb: *c", r"line 2: anchors and aliases"),
    "a python object": (swapped("kind: crypto", "kind: !!python/object:os.system crypto"),
                        r"line 11, kind: the tag '.*' is not read; leave it out"),
    "a key twice": (swapped("numbers: text", "numbers: text\nnumbers: number"),
                    r"numbers: 'numbers' is there twice"),
    "another version": (swapped("version: 1 ", "version: 2 "), r"version: it cannot be '2'"),
    "no version": (swapped("version: 1 ", "# version: 1 "), r"version: it is missing; add it"),
    "no name": (swapped("name: Example Exchange", ""), r"name: it is missing; .*as people know it"),
    "a misspelt key": (swapped("kind: crypto", "knid: crypto"),
                       r"line 11, knid: there is no such key; did you mean 'kind'\?"),
    "no such kind": (swapped("kind: crypto", "kind: bonds"),
                     r"kind: it cannot be 'bonds'; it is 'crypto'"),
    "plain http": (swapped("https://api.exchange.example", "http://api.exchange.example"),
                   r"addresses.live: .* is not encrypted.*write https://"),
    "no address": (swapped("https://api.exchange.example", "exchange"),
                   r"addresses.live: 'exchange' is no address; write it like https://"),
    "a key in an address": (swapped("https://api.exchange", "https://me:key@api.exchange"),
                            r"keys belong into the account form"),
    "parameters in an address": (swapped("exchange.example\n\n", "exchange.example?a=b\n\n"),
                                 r"parameters belong under query"),
    "no addresses": (swapped("  test: https://api.sandbox.exchange.example\n"
                             "  live: https://api.exchange.example\n", "  test: null\n"),
                     r"addresses: there is no address: give test, live, or both"),
    "no such method": (swapped("method: hmac", "method: oauth"),
                       r"authentication: there is no method 'oauth'; there is 'none', 'header'"),
    "no method": (swapped("  method: hmac\n", ""), r"'method' is missing; add method: none"),
    "a misspelt key of a method": (swapped("  algorithm: sha256", "  algoritm: sha256"),
                                   r"algoritm: .*did you mean 'algorithm'"),
    "an old hash": (swapped("algorithm: sha256", "algorithm: md5"),
                    r"authentication.algorithm: it cannot be 'md5'; it is 'sha256'"),
    "an unsent signature": (swapped('X-EX-SIGN: "{signature}"', 'X-EX-SIGN: "yes"'),
                            r"the signature is sent nowhere"),
    "a timeless signature": (swapped('"{timestamp}{method}{path}{query}{body}"', '"{body}"'),
                             r"could send it again for ever"),
    "an unknown secret": (swapped('"{secret.key}"', '"{secret.pin}"'),
                          r"unknown placeholder '\{secret.pin\}'; there is .*\{secret.key\}"),
    "a secret in a question": (swapped('length: "{timeframe}"', 'length: "{secret.key}"'),
                               r"query.length has the unknown placeholder '\{secret.key\}'"),
    "an open brace": (swapped('"{timestamp}"', '"{timestamp"'), r"a brace is open"),
    "an infinite pace": (swapped("requests_per_s: 10 ", "requests_per_s: 0 "),
                         r"pace.requests_per_s: input should be greater than 0, not '0'"),
    "no such time": (swapped("times: ms ", "times: minutes "), r"times: it cannot be 'minutes'"),
    "a side without a word": (swapped("{buy: buy, sell: sell}", "{buy: buy}"),
                              r"words: sides has no 'sell'"),
    "one word for two": (swapped("{buy: buy, sell: sell}", "{buy: b, sell: b}"),
                         r"words: sides has 'b' for both buy and sell"),
    "no such type": (swapped("{market: market,", "{iceberg: x, market: market,"),
                     r"words.types.iceberg: it cannot be 'iceberg'; it is 'market'"),
    "a trailing stop": (swapped("{market: market,", "{trailing_stop: x, market: market,"),
                        r"'trailing_stop', which a description cannot say"),
    "no market orders": (swapped("{market: market,", "{"), r"types has no 'market'"),
    "no word for cancelled": (swapped("    cancelled: cancelled\n", ""),
                              r"states has no word for 'cancelled'"),
    "a state of ours": (swapped("    rejected: rejected\n", "    unknown: lost\n"),
                        r"states has 'unknown', which is none of a platform's"),
    "no path of an order": (swapped("  state: status\n", ""),
                            r"order.state: it is missing; add it: a word of words.states"),
    "a path that is none": (swapped("rows: candles", 'rows: "candles["'),
                            r"endpoints.candles.rows: 'candles\[' is no path"),
    "a number for a path": (swapped("rows: candles", "rows: 1"),
                            r"endpoints.candles.rows: it has to be a path into the answer"),
    "an endpoint less": (swapped("  open_orders:\n", "  open_order:\n"),
                         r"endpoints.open_orders: it is missing; add it: all orders that work"),
    "an address for a path": (swapped("path: /v1/time", "path: https://x.example/time"),
                              r"endpoints.time: the path .* has to begin with '/'"),
    "a question mark": (swapped("path: /v1/time", "path: /v1/time?utc=1"),
                        r"what comes after a '\?' belongs under query"),
    "no such placeholder": (swapped('amount: "{quantity}"', 'amount: "{size}"'),
                            r"body.amount has the unknown placeholder '\{size\}'; there is"),
    "a path that may be empty": (swapped("path: /v1/trades", 'path: "/v1/trades/{venue_id}"'),
                                 r"endpoints.executions: path has the unknown placeholder"),
    "no client id": (swapped('      client_id: "{client_id}"\n', ""),
                     r"endpoints.place: '\{client_id\}' is sent nowhere"),
    "an order by GET": (swapped("    method: POST\n", ""),
                        r"endpoints.place: a GET has no body|an order is not a GET"),
    "a cancel of anything": (swapped("path: /v1/orders/{venue_id}", "path: /v1/orders"),
                             r"endpoints.cancel: it does not say which order"),
    "a limit unsent": (swapped('      limit_price: "{price}"\n', ""),
                       r"words.types has limit, but endpoints.place sends no '\{price\}'"),
    "candles of no length": (swapped("{1m: 1m,", "{7m: 7m,"), r"timeframes has '7m'"),
    "candles without a start": (swapped(' from: "{start}",', ""),
                                r"endpoints.candles: candles cannot be asked for from a time on"),
    "trades without a start": (swapped(' from: "{since}",', ""),
                               r"endpoints.executions: trades cannot be asked for from a time"),
    "locked and total": (swapped("locked: held", "locked: held, total: all"),
                         r"balances.fields: besides free it needs locked or total, one of the two"),
    "no rules": (lambda: EXAMPLE[: EXAMPLE.index("  rules:\n")] + "  rules: []\n",
                 r"errors.rules: .*at least 1 item"),
    "a meaning that is none": (swapped("means: rejected", "means: refused"),
                               r"rules\[8\].means: it cannot be 'refused'; it is 'rejected'"),
    "a rule for all": (swapped("{status: 429, means: rate_limited}", "{means: rejected}"),
                       r"rules\[5\]: the rule fits every answer: give it a status or a code"),
    "a 5xx that is sure": (swapped("{status: 429, means: rate_limited}",
                                   "{status: 502, means: rejected}"),
                           r"a status of 500 and more never says for certain"),
    "a success that is none": (swapped("{status: 429, means: rate_limited}",
                                       "{status: 200, means: rejected}"),
                               r"a status below 300 is a success"),
    "no status": (swapped("status: 429", "status: 42"), r"42 is no HTTP status"),
    "codes from nowhere": (swapped("  code: error.code\n", ""),
                           r"errors: rules use codes: say with 'code: PATH'"),
    "short ids": (swapped("{longest: 64}", "{longest: 20}"),
                  r"longest: 20 is less than the 36 .*needs an adapter of its own"),
    "a fee of everything": (swapped("fee_bps: 10 ", "fee_bps: 5000 "),
                            r"capabilities.fee_bps: input should be less than or equal to 1000"),
    "a section that is text": (swapped("capabilities:\n", "capabilities: none\nx:\n"),
                               r"capabilities: there have to be keys below it"),
}  # fmt: skip


def test_the_example_is_sound_and_says_what_it_can() -> None:
    example = load_description(EXAMPLE_FILE)
    assert example.secrets == {"key", "secret"}
    assert set(example.words.times_in_force) == {TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK}
    assert OrderType.STOP_LIMIT in example.words.types
    assert example.words.states[OrderState.OPEN] == ("new", "waiting")
    assert example.capabilities.fee_bps == Decimal(10)
    assert "sandbox" in str(example.address("test"))
    assert example.address("paper") == example.address("live") != example.address("test")


def test_every_line_of_the_example_is_explained_or_plain() -> None:
    lines = [line for line in EXAMPLE.splitlines() if line and not line.startswith(" ")]
    sections = [line for line in lines if line.endswith(":") and not line.startswith("#")]
    for section in sections:
        before = lines[lines.index(section) - 1]
        is_explained = before.startswith("#") or section in ("pace:", "capabilities:")
        assert is_explained, section


@cache
def refused(name: str) -> BadDescription:
    """What reading one of ``BROKEN`` raises."""
    with pytest.raises(BadDescription) as raised:
        read_description(BROKEN[name][0](), "mine.yaml")
    return raised.value


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_told_with_its_line(name: str) -> None:
    error = refused(name)
    assert re.search(BROKEN[name][1], error.message), error.message
    assert error.message.startswith("mine.yaml, line ")
    assert all(problem.line > 0 for problem in error.problems)


def test_the_sentences_differ() -> None:
    firsts = [refused(name).problems[0] for name in BROKEN]
    sentences = {(problem.path, problem.words) for problem in firsts}
    assert len(sentences) == len(BROKEN) - 2  # nothing is a list too, an anchor like its alias


def test_all_mistakes_are_told_at_once_in_their_order() -> None:
    text = EXAMPLE.replace("kind: crypto", "kind: bonds").replace("times: ms ", "times: days ")
    with pytest.raises(BadDescription, match=r"and 1 more") as raised:
        read_description(text, "mine.yaml")
    assert [problem.path for problem in raised.value.problems] == ["kind", "times"]


def test_files_are_found_by_name_and_bounded(tmp_path: Path) -> None:
    folder = tmp_path / "brokers"
    assert find_description("example", folder) == EXAMPLE_FILE
    with pytest.raises(ConfigError, match=r"no description 'mine'.*none yet.*NAME\.yaml"):
        find_description("mine", folder)
    folder.mkdir()
    (folder / "mine.yaml").write_text(EXAMPLE)
    assert load_description(find_description("mine", folder)).name == "Example Exchange"
    with pytest.raises(ConfigError, match=r"no description '../state' .*\(mine\)"):
        find_description("../state", folder)
    (folder / "big.yml").write_text("#" * (MOST_BYTES + 1))
    with pytest.raises(ConfigError, match="larger than 256 KB"):
        load_description(find_description("big", folder))
    (folder / "latin.yaml").write_bytes("name: \xe9".encode("latin-1"))
    with pytest.raises(ConfigError, match="no text in UTF-8"):
        load_description(folder / "latin.yaml")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_description(folder / "gone.yaml")


def test_the_docs_name_every_section_question_method_and_meaning() -> None:
    docs = (ROOT / "docs" / "rest-broker.md").read_text("utf-8")
    methods = ["none", "header", "bearer", "basic", "query", "hmac"]
    with pytest.raises(BadDescription, match=", ".join(f"'{name}'" for name in methods)):
        read_description(EXAMPLE.replace("method: hmac", "method: x"), "x.yaml")
    names = [*Description.model_fields, *Endpoints.model_fields, *Meaning, *methods]
    assert [name for name in names if f"`{name}`" not in docs] == []


def test_the_snippet_of_the_docs_is_a_way_to_sign() -> None:
    docs = (ROOT / "docs" / "rest-broker.md").read_text("utf-8")
    [snippet] = re.findall(r"^    authentication:\n(?:      .*\n)+", docs, re.MULTILINE)
    start, end = EXAMPLE.index("authentication:\n"), EXAMPLE.index("pace:\n")
    text = EXAMPLE[:start] + dedent(snippet) + EXAMPLE[end:]
    described = read_description(text, "docs.yaml")
    assert described.secrets == {"key", "secret"}


def test_what_is_no_list_becomes_one_as_the_docs_say() -> None:
    docs = (ROOT / "docs" / "rest-broker.md").read_text("utf-8")
    [path] = re.findall(r'`rows: "(.*)"`', docs)
    found = jmespath.search(path, {"buying_power": "2", "cash": "1"})
    assert found == [{"asset": "USD", "free": "2", "total": "1"}]
