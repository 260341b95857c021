"""The Expert Advisor, as far as it can be checked without a compiler: its brackets, the functions
that it calls, and every field that docs/metatrader.md describes."""

import re

import pytest

from tooling.place import ROOT

FOLDER = ROOT / "deploy" / "metatrader"
SOURCES = {path.name: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.mq*"))}
WHOLE = "\n".join(SOURCES.values())
GUIDE = (ROOT / "docs" / "metatrader.md").read_text("utf-8")

LITERAL = re.compile(r"""//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'""")
CODE = LITERAL.sub(lambda found: "" if found[0].startswith("//") else '""', WHOLE)
CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
DEFINED = re.compile(r"^(?:\w+)\s+(\w+)\(", re.MULTILINE)
WRITTEN = re.compile(r"""(?:Text|Number|Indicator|Flag)\("(\w+)"|\\"(\w+)\\":""")
READ = re.compile(r"""Field\(objects\[i\], "(\w+)"\)""")
PAIRS = {")": "(", "]": "[", "}": "{"}
KEYWORDS = {"if", "for", "while", "return", "switch"}
MQL5 = {
    "AccountInfoDouble", "AccountInfoInteger", "AccountInfoString", "ArrayRemove", "ArrayResize",
    "ArraySize", "CharArrayToString", "CopyBuffer", "CopyRates", "DoubleToString", "EnumToString",
    "EventKillTimer", "EventSetTimer", "FileClose", "FileFlush", "FileIsEnding", "FileIsExist",
    "FileOpen", "FileReadString", "FileSeek", "FileWriteString", "GetLastError",
    "HistoryDealGetDouble", "HistoryDealGetInteger", "HistoryDealGetTicket", "HistoryDealsTotal",
    "HistoryOrderGetDouble", "HistoryOrderGetInteger", "HistoryOrderGetString",
    "HistoryOrderGetTicket", "HistoryOrdersTotal", "HistorySelect", "IndicatorRelease",
    "IntegerToString", "MQLInfoInteger", "MathAbs", "MathFloor", "MathIsValidNumber", "MathMax",
    "MathMin", "MathRound", "NormalizeDouble", "OrderGetDouble", "OrderGetInteger",
    "OrderGetString", "OrderGetTicket", "OrderSelect", "OrderSend", "OrdersTotal",
    "PositionGetDouble", "PositionGetInteger", "PositionGetString", "PositionGetTicket",
    "PositionSelect", "PositionSelectByTicket", "PositionsTotal", "Print", "PrintFormat",
    "ResetLastError", "ShortToString", "StringFind", "StringFormat", "StringGetCharacter",
    "StringLen", "StringReplace", "StringSplit", "StringSubstr", "StringToCharArray",
    "StringToDouble", "StringToInteger", "StringTrimLeft", "StringTrimRight", "SymbolInfoDouble",
    "SymbolInfoInteger", "SymbolInfoString", "SymbolInfoTick", "SymbolSelect",
    "TerminalInfoInteger", "TimeCurrent", "TimeGMT", "TimeToString", "TimeTradeServer",
    "WebRequest", "ZeroMemory", "iATR", "iBands", "iMA", "iRSI",
}  # fmt: skip
"""Functions of MQL5's reference."""


def rows(heading: str) -> set[str]:
    """The fields in the first column of the table under a heading; those of ``indicators`` too."""
    section = GUIDE.split(heading, 1)[1].split("\n### ")[0]
    told = [line for line in section.splitlines() if line.startswith("| `")]
    names = {name for line in told for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    for line in told:
        if line.startswith("| `indicators`"):
            names |= set(re.findall(r"`(\w+)`", line.split("|")[2]))
    return names


@pytest.mark.parametrize("name", list(SOURCES))
def test_brackets_are_closed_in_order(name: str) -> None:
    code = LITERAL.sub("", SOURCES[name])
    waiting: list[str] = []
    for letter in code:
        if letter in PAIRS.values():
            waiting.append(letter)
        elif letter in PAIRS:
            assert waiting, f"{letter} closes nothing"
            assert waiting.pop() == PAIRS[letter]
    assert waiting == []
    assert '"' not in code


def test_every_function_is_mql5_s_or_its_own_and_each_of_its_own_is_used() -> None:
    own = set(DEFINED.findall(CODE))
    called = set(CALL.findall(CODE)) - KEYWORDS
    assert called <= MQL5 | own
    assert called >= MQL5  # the list has no others
    bodies = DEFINED.sub("", CODE)
    events = {"OnInit", "OnDeinit", "OnTimer"}
    assert {name for name in own if not re.search(rf"\b{name}\(", bodies)} == events


def test_what_it_sends_is_what_is_described() -> None:
    described = (
        rows("Every body that it sends begins with")
        | rows("### `POST /api/signals`: prices")
        | rows("### `POST /api/trade-execution`: what became of an order")
    )
    written = {name for pair in WRITTEN.findall(WHOLE) for name in pair if name}
    assert written == described


def test_what_it_asks_for_is_what_is_described() -> None:
    assert set(READ.findall(WHOLE)) == rows("### `GET /api/mt5/orders?account=...&magic=...`")
    for path in re.findall(r'"(/api/[\w/-]+)', WHOLE):
        assert re.search(rf"`(?:GET|POST) {path}[`?]", GUIDE), path


def test_it_knows_every_kind_of_order_and_status_that_is_described() -> None:
    for kind in ("market", "limit", "stop", "stop_limit", "cancel"):
        assert f'asked.type == "{kind}"' in WHOLE
    for status in ("placed", "partly_filled", "filled", "cancelled", "expired", "rejected"):
        assert f'"{status}"' in WHOLE
        assert f"`{status}`" in GUIDE


def test_no_address_and_no_token_is_in_it() -> None:
    literals = [found for found in LITERAL.findall(WHOLE) if found.startswith('"')]
    hosts = [found for found in literals if re.search(r"\d+\.\d+\.\d+\.\d+|https?://\w", found)]
    assert hosts == ['"http://127.0.0.1"']  # which is let through without TLS
    assert re.search(r'input string\s+InpUrl\s+= "";', WHOLE)
    assert re.search(r'input string\s+InpToken\s+= "";', WHOLE)
    assert re.search(r"input bool\s+InpExecute\s+= false;", WHOLE)


def test_an_id_is_written_down_before_anything_is_sent() -> None:
    body = WHOLE.split("void Execute(", 1)[1].split("\nvoid ", 1)[0].split("\nstring ", 1)[0]
    steps = [body.index(step) for step in ("IsDone(", "Remember(", "OrderSend(")]
    assert steps == sorted(steps)
    assert body.count("OrderSend(") == 1


def test_files_are_small_and_the_readme_names_them() -> None:
    assert len(SOURCES) == 4
    assert all(len(text.splitlines()) <= 400 for text in SOURCES.values())
    included = set(re.findall(r'#include "([\w.]+)"', WHOLE))
    assert included == {name for name in SOURCES if name.endswith(".mqh")}
    readme = (FOLDER / "README.md").read_text("utf-8")
    assert "Quarterdeck*.mq5" in readme
    assert ".mqh" in readme
