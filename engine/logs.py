"""Structured logs: one JSON object a line, secrets masked, rotated; a file apart for each bot."""

import logging
import re
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO

import structlog

from engine.errors import ConfigError

ENGINE_LOG_BYTES = 5_000_000
ENGINE_LOG_FILES = 5
BOT_LOG_BYTES = 1_000_000
ACCESS_LOGGER = "quarterdeck.access"
MASK = "[hidden]"
MASKED = rf"\g<1>{MASK}"
SHORTEST_SECRET = 4

SECRET_NAME = re.compile(r"token|secret|passw|api_?key|authorization|credential", re.IGNORECASE)
SECRET_PATTERNS = (
    re.compile(r"(?i)(bearer\s+)[\w.~+/=-]{8,}"),
    re.compile(r"\b(qd_)[\w-]{20,}"),
    re.compile(r"(\w+://[^\s:/@]*:)[^\s@]+(?=@)"),
    re.compile(
        r"(?i)((?:token|secret|password|passwd|api_?key|signature)[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,}]+"
    ),
)


class Redaction:
    """Masks secrets in everything that is logged: by key, by pattern, and by known value."""

    def __init__(self) -> None:
        self._known: tuple[str, ...] = ()  # replaced as a whole: threads log meanwhile

    def hide(self, secret: str) -> None:
        """Mask this value wherever it turns up from now on. One of fewer than four letters is not:
        every word would be full of holes."""
        if len(secret) >= SHORTEST_SECRET and secret not in self._known:
            longest_first = sorted((*self._known, secret), key=len, reverse=True)
            self._known = tuple(longest_first)  # one may be a part of another

    def __call__(
        self, _logger: Any, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        """A structlog processor."""
        return {key: self.clean(value, key) for key, value in event.items()}

    def clean(self, value: Any, key: str = "") -> Any:
        """``value`` with every secret in it masked, however deep."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if key and SECRET_NAME.search(key):
            return MASK
        if isinstance(value, dict):
            return {str(name): self.clean(item, str(name)) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean(item) for item in value]
        return self.clean_text(str(value))

    def clean_text(self, text: str) -> str:
        """``text`` with known secrets and everything that looks like one masked."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        for pattern in SECRET_PATTERNS:
            text = pattern.sub(MASKED, text)
        return text


class FormatOnce(structlog.stdlib.ProcessorFormatter):
    """Keeps the line of the last record: the engine's file asks for it twice, a bot's once more,
    and to look for secrets in it costs more than to write it."""

    _last: tuple[logging.LogRecord | None, str] = (None, "")

    def format(self, record: logging.LogRecord) -> str:
        """The line; one of an exception is not kept, nor all that its frames hold."""
        known, line = self._last
        if known is not record:
            line = super().format(record)
            if not record.exc_info:
                self._last = record, line
        return line


class BotLogHandler(logging.Handler):
    """Writes what belongs to a bot to ``<bot id>.log``; opens the file only to write, so that a
    thousand bots hold no thousand files open."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def emit(self, record: logging.LogRecord) -> None:
        """Append one line; the file before is kept as ``<bot id>.log.1``."""
        bot_id = getattr(record, "bot_id", None)
        if not isinstance(bot_id, str) or not bot_id.isalnum():
            return
        path = self._folder / f"{bot_id}.log"
        try:
            if path.exists() and path.stat().st_size > BOT_LOG_BYTES:
                path.replace(path.with_suffix(".log.1"))
            with path.open("a", encoding="utf-8") as file:
                file.write(self.format(record) + "\n")
        except OSError:
            self.handleError(record)


def configure_logs(
    folder: Path, level: str, console: TextIO | None = None, program: str = "engine"
) -> Redaction:
    """Send a program's logs to ``<program>.log`` in ``folder`` and, shorter, to the console
    (default stderr).

    Returns the redaction, to which secrets learned later are added. Raises ConfigError when the
    folder cannot be written.
    """
    redaction = Redaction()
    bots = folder / "bots"
    try:
        bots.mkdir(parents=True, exist_ok=True)
        engine_file = RotatingFileHandler(
            folder / f"{program}.log", maxBytes=ENGINE_LOG_BYTES, backupCount=ENGINE_LOG_FILES,
            encoding="utf-8",
        )  # fmt: skip
    except OSError as error:
        problem = f"The log folder {folder} cannot be written ({error.strerror})."
        raise ConfigError(problem, field="data") from error
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    as_json = _formatter(
        shared,
        structlog.processors.format_exc_info,
        redaction,
        structlog.processors.JSONRenderer(default=str),
    )
    as_text = _formatter(shared, structlog.processors.format_exc_info, redaction, _one_line)
    screen = logging.StreamHandler(console or sys.stderr)
    screen.setFormatter(as_text)
    handlers: list[logging.Handler] = [engine_file, BotLogHandler(bots)]
    for handler in handlers:
        handler.setFormatter(as_json)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    for handler in (*handlers, screen):
        root.addHandler(handler)
    root.setLevel(level)
    for noisy in ("apscheduler", "alembic", "httpx", "uvicorn.access", "ccxt"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return redaction


def configure_access_log(folder: Path) -> None:
    """Send the lines of the API's access log, JSON already, to ``folder`` and nowhere else. Raises
    ConfigError when the file cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = RotatingFileHandler(
            folder / "access.jsonl", maxBytes=ENGINE_LOG_BYTES, backupCount=ENGINE_LOG_FILES,
            encoding="utf-8",
        )  # fmt: skip
    except OSError as error:
        problem = f"The access log in {folder} cannot be written ({error.strerror})."
        raise ConfigError(problem, field="data") from error
    logger = logging.getLogger(ACCESS_LOGGER)
    for old in list(logger.handlers):
        logger.removeHandler(old)
        old.close()
    logger.addHandler(file)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _formatter(
    shared: list[structlog.typing.Processor], *last: structlog.typing.Processor
) -> logging.Formatter:
    return FormatOnce(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )


def _one_line(_logger: Any, _method: str, event: structlog.typing.EventDict) -> str:
    """For the console: time, level, bot, message, and a traceback when there is one."""
    moment = str(event.get("timestamp", ""))[11:19]
    bot = f" [{event['bot_id']}]" if event.get("bot_id") else ""
    trace = f"\n{event['exception']}" if event.get("exception") else ""
    return f"{moment} {event.get('level', ''):<7}{bot} {event.get('event', '')}{trace}"
