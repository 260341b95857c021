"""A store with something in it, the files of a user beside it, and the folder of its backups."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from sqlalchemy import inspect, text

from engine.adapters.backups.parts import Sources
from engine.adapters.backups.restore import Place, Restored, restore
from engine.adapters.backups.shelf import BackupFolder
from engine.adapters.store.database import parse_url
from engine.adapters.store.paper_book import SqlPaperBook
from engine.adapters.store.postgres_copies import PostgresCopies
from engine.adapters.store.sqlite_copies import SqliteCopies
from engine.adapters.store.store import SqlStore
from engine.domain.bots import Bot
from engine.domain.records import PaperBalance
from engine.ports import DatabaseCopies
from engine.services.books import Books
from tests.contract.store_samples import account, rich_bot, secret, trade
from tests.fakes.clock import FakeClock

PRECISE = Decimal("0.123456789012345678901234567890")
FILES = {
    "api.token": "canary-token", "secret.key": "canary-key", "logs/engine.log": "words",
    "brokers/mine.yaml": "name: mine", "backtests/b1/trades.parquet": "PAR1 trades",
    "studies/s1.log": "journal", "KILL": "{}", "candles/BTC-USDT.1m.csv": "time,open",
}  # fmt: skip
STRATEGIES = {
    "mine.py": "own", "rules/dip.yaml": "rules: []", "__pycache__/x.pyc": "x", ".env": "canary-env"
}  # fmt: skip


@dataclass
class BackupRoom:
    """``copies`` are those of the store's database, which is in the folder ``sources.data`` or on
    a server."""

    store: SqlStore
    clock: FakeClock
    sources: Sources
    copies: DatabaseCopies
    shelf: BackupFolder

    def make(self, *, with_candles: bool = False) -> Path:
        """A backup's file."""
        return self.shelf.folder / self.shelf.make(with_candles=with_candles).name

    def restore(self, file: Path, into: Path, *, is_forced: bool = False) -> Restored:
        """Into another folder; a server's database stays the same one."""
        here = SqliteCopies(into / "state.db") if self.copies.kind == "sqlite" else self.copies
        place = Place(into, into / "strategies", here)
        return restore(file, place, self.clock.now(), is_forced=is_forced)

    def restore_here(self, file: Path, *, is_forced: bool = False) -> Restored:
        """Where it was made."""
        place = Place(self.sources.data, self.sources.strategies, self.copies)
        return restore(file, place, self.clock.now(), is_forced=is_forced)


def open_backup_room(url: str, folder: Path, clock: FakeClock) -> BackupRoom:
    """Fill an empty database, and folders beside it."""
    store, parsed = SqlStore.open(url, now=clock.now), parse_url(url)
    is_file = parsed.get_backend_name() == "sqlite"
    copies: DatabaseCopies = (
        SqliteCopies(Path(str(parsed.database))) if is_file else PostgresCopies(parsed)
    )
    sources = Sources(folder / "data", folder / "strategies")
    write_files(sources.data, FILES)
    write_files(sources.strategies, STRATEGIES)
    _fill(store, clock)
    shelf = BackupFolder(folder / "backups", sources, copies, "0.1.0", clock.now)
    return BackupRoom(store, clock, sources, copies, shelf)


def _fill(store: SqlStore, clock: FakeClock) -> None:
    books, bot = Books(store, clock), rich_bot()
    assert isinstance(bot, Bot)
    books.load()
    with books.writing() as writing:
        writing.add_bot(bot)
        writing.tx.trades.add(trade(pnl=PRECISE))
        writing.audit("panel", "bots.create", "demo", amount=PRECISE)
        writing.audit("panel", "bots.start", "demo")
        writing.put_venue_account(account(), is_new=True)
        writing.tx.secrets.add(secret())
    SqlPaperBook(store.database).commit(
        "paper", {"BTC": PaperBalance(asset="BTC", free=PRECISE, locked=Decimal(0))}
    )


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Text files by their names within a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def all_rows(store: SqlStore) -> dict[str, list[str]]:
    """Everything in a database but who holds it."""
    with store.database.reading() as session:
        names = set(inspect(session.connection).get_table_names()) - {"leases"}
        asked = {name: text(f'SELECT * FROM "{name}"') for name in names}  # noqa: S608
        return {name: sorted(map(repr, session.rows(query))) for name, query in asked.items()}
