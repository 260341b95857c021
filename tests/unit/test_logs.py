"""Logs: JSON lines, nothing secret in them, a file apart for each bot, rotated."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import logs
from engine.errors import ConfigError
from engine.logs import Redaction, configure_access_log, configure_logs


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    for handler in list(root.handlers):
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


SECRET = "s3cr3t-value-42"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"https://user:{SECRET}@exchange.example/api",
        f"GET /order?signature={SECRET}&symbol=BTC",
        f'{{"api_key": "{SECRET}"}}',
        f"apiKey={SECRET}",
        f"password: {SECRET}",
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str) -> None:
    cleaned = Redaction().clean_text(text)
    assert SECRET not in cleaned
    assert logs.MASK in cleaned


def test_known_secrets_and_secret_keys_are_masked_however_deep() -> None:
    redaction = Redaction()
    redaction.hide("plainword")
    cleaned = redaction.clean({"a": ["x plainword"], "secret": {"n": SECRET}, "n": 5, "ok": True})
    assert "plainword" not in str(cleaned)
    assert SECRET not in str(cleaned)
    assert cleaned["n"] == 5
    assert cleaned["ok"] is True


def test_lines_are_json_and_a_bots_lines_are_in_its_own_file_too(
    tmp_path: Path, root_logger: logging.Logger
) -> None:
    console = io.StringIO()
    redaction = configure_logs(tmp_path, "INFO", console)
    redaction.hide(SECRET)
    log = logging.getLogger("quarterdeck.test")
    log.info("bought %s", SECRET, extra={"bot_id": "ab12cd34", "kind": "order.filled"})
    log.warning("engine only")
    log.debug("not shown")

    lines = [json.loads(line) for line in (tmp_path / "engine.log").read_text().splitlines()]
    assert [line["event"] for line in lines] == [f"bought {logs.MASK}", "engine only"]
    assert lines[0]["kind"] == "order.filled"
    assert lines[0]["timestamp"].endswith("Z")
    own = (tmp_path / "bots" / "ab12cd34.log").read_text().splitlines()
    assert [json.loads(line)["bot_id"] for line in own] == ["ab12cd34"]
    assert "warning" in console.getvalue()
    assert SECRET not in console.getvalue()


def test_a_traceback_is_kept_and_cleaned(tmp_path: Path, root_logger: logging.Logger) -> None:
    configure_logs(tmp_path, "INFO", io.StringIO())
    try:
        raise ValueError(f"token={SECRET}")
    except ValueError:
        logging.getLogger("quarterdeck.test").exception("it failed")
    text = (tmp_path / "engine.log").read_text()
    assert "ValueError" in text
    assert SECRET not in text


def test_a_bots_file_is_rotated(
    tmp_path: Path, root_logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "BOT_LOG_BYTES", 500)
    configure_logs(tmp_path, "INFO", io.StringIO())
    for number in range(20):
        logging.getLogger("quarterdeck.test").info("line %d", number, extra={"bot_id": "ab12"})
    current, before = tmp_path / "bots" / "ab12.log", tmp_path / "bots" / "ab12.log.1"
    assert "line 19" in current.read_text()
    assert current.stat().st_size < 1000
    assert before.stat().st_size < 1000


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", "C:x"])
def test_a_bot_id_that_is_no_id_makes_no_file(
    tmp_path: Path, root_logger: logging.Logger, name: str
) -> None:
    configure_logs(tmp_path, "INFO", io.StringIO())
    logging.getLogger("quarterdeck.test").info("x", extra={"bot_id": name})
    assert list((tmp_path / "bots").iterdir()) == []


def test_a_line_is_searched_for_secrets_once_for_all_files_and_once_for_the_screen(
    tmp_path: Path, root_logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[str] = []
    clean_text = Redaction.clean_text

    def counted(redaction: Redaction, text: str) -> str:
        searched.append(text)
        return clean_text(redaction, text)

    monkeypatch.setattr(Redaction, "clean_text", counted)
    configure_logs(tmp_path, "DEBUG", io.StringIO())
    for words in ("Bought 1 BTC", "Sold 1 BTC", "Sold 1 BTC"):
        logging.getLogger("quarterdeck").info(words, extra={"bot_id": "b1"})
    assert searched.count("Bought 1 BTC") == 2
    assert searched.count("Sold 1 BTC") == 4, "an equal line is another one all the same"
    for file in (tmp_path / "engine.log", tmp_path / "bots" / "b1.log"):
        lines = [json.loads(line)["event"] for line in file.read_text("utf-8").splitlines()]
        assert lines == ["Bought 1 BTC", "Sold 1 BTC", "Sold 1 BTC"]


def test_a_token_of_the_api_is_hidden_wherever_it_turns_up() -> None:
    text = "qd_" + "aB3-_" * 8
    assert Redaction().clean_text(f"curl {text} failed") == "curl qd_[hidden] failed"
    assert Redaction().clean({"detail": [text]}) == {"detail": ["qd_[hidden]"]}


def test_the_access_log_has_a_file_of_its_own_and_no_other(
    root_logger: logging.Logger, tmp_path: Path
) -> None:
    screen = io.StringIO()
    configure_logs(tmp_path, "DEBUG", screen)
    access = logging.getLogger(logs.ACCESS_LOGGER)
    before = (access.level, access.propagate, list(access.handlers))
    try:
        configure_access_log(tmp_path)
        configure_access_log(tmp_path)  # a second engine in this process writes each line once
        access.info('{"route":"/bots"}')
        assert (tmp_path / "access.jsonl").read_text("utf-8") == '{"route":"/bots"}\n'
        assert (tmp_path / "engine.log").read_text("utf-8") == ""
        assert screen.getvalue() == ""
    finally:
        for handler in access.handlers:
            handler.close()
        access.level, access.propagate, access.handlers = before


def test_an_access_log_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "access.jsonl").mkdir()
    with pytest.raises(ConfigError, match="access log in"):
        configure_access_log(tmp_path)
