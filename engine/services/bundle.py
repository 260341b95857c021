"""The bundle for a bug report: what was found, what happened, the logs; nothing secret."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.domain.diagnostics import Diagnosis
from engine.domain.masking import without_people
from engine.services.books import Books

MOST_EVENTS = 2_000
MOST_LOG_BYTES = 2_000_000
LOGS = ("engine.log", "engine.log.1", "watcher.log")
README = """\
What a bug report of Quarterdeck needs; read it before you send it.

diagnosis.json  what the Diagnostics page shows, and the versions of all packages
settings.json   the settings; of a secret only whether it is set
bots.json       the bots with their settings
events.jsonl    the newest events, one a line
logs/           the end of each log

Secrets, email addresses, phone numbers and the names of home folders are masked. Orders, trades,
balances and the database itself are not in it.
"""


@dataclass(frozen=True)
class Bundle:
    """Makes the file. ``clean`` masks every secret that the engine knows."""

    books: Books
    logs: Path
    settings: Callable[[], Mapping[str, str]]
    clean: Callable[[str], str]

    def make(self, diagnosis: Diagnosis) -> bytes:
        """A zip file. Raises StoreError; a log that cannot be read is named in its place."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("README.txt", README)
            for name, content in self._members(diagnosis):
                archive.writestr(name, without_people(self.clean(content)))
        return packed.getvalue()

    def _members(self, diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
        yield "diagnosis.json", diagnosis.model_dump_json(indent=1)
        yield "settings.json", json.dumps(dict(self.settings()), indent=1)
        with self.books.store.reading() as tx:
            events = tx.events.select(is_descending=True, limit=MOST_EVENTS)
        yield "events.jsonl", "".join(f"{one.model_dump_json()}\n" for one in reversed(events))
        bots = [bot.model_dump(mode="json") for bot in list(self.books.bots.values())]
        yield "bots.json", json.dumps(bots, indent=1)
        for name in LOGS:
            path = self.logs / name
            if path.exists():
                yield f"logs/{name}", _end_of(path)


def _end_of(path: Path) -> str:
    """The last lines, whole ones."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(max(0, size - MOST_LOG_BYTES))
            content = file.read()
    except OSError as error:
        return f"This log could not be read ({error.strerror}).\n"
    if size > MOST_LOG_BYTES:
        content = content.partition(b"\n")[2]
    return content.decode("utf-8", errors="replace")
