"""Backups that are damaged, foreign or of a newer version are refused before anything is touched;
full disks and kills leave the old state, and no half file that looks whole."""

import errno
import hashlib
import io
import json
import os
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

import engine.adapters.backups.restore as restoring
from engine.adapters.backups.archive import MANIFEST
from engine.adapters.backups.parts import Sources
from engine.adapters.backups.restore import Place, restore, undo_unfinished
from engine.adapters.backups.shelf import BackupFolder
from engine.adapters.store.copy_facts import read_facts
from engine.adapters.store.migrate import FOLDER, known_revisions
from engine.adapters.store.sqlite_copies import SqliteCopies
from engine.adapters.store.store import SqlStore
from engine.bootstrap_backups import put_back, verified
from engine.domain.backups import Keeping
from engine.errors import BackupError, ConfigError
from engine.locks import FolderLock
from engine.settings import Settings
from tests.fakes.clock import START, FakeClock
from tests.support.backup_room import FILES, BackupRoom, open_backup_room, tree, write_files

Spoil = Callable[[Path], None]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup, for tests that change copies of it."""
    folder = tmp_path_factory.mktemp("made")
    room = open_backup_room(f"sqlite:///{folder / 'data' / 'state.db'}", folder, FakeClock())
    room.store.close()
    return room.make()


@pytest.fixture
def room(tmp_path: Path, clock: FakeClock) -> Iterator[BackupRoom]:
    room = open_backup_room(f"sqlite:///{tmp_path / 'data' / 'state.db'}", tmp_path, clock)
    yield room
    room.store.close()


# --- what is refused


def _letter(file: Path) -> None:
    file.write_text("a letter")


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        info = archive.getinfo("data/backtests/b1/trades.parquet")
    at = info.header_offset + 30 + len(info.filename) + 20 + 3  # stored, behind a zip64 field
    content[at] ^= 0xFF
    file.write_bytes(content)


def _rewrite(file: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    with zipfile.ZipFile(file) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    change(content)
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def _tamper(content: dict[str, bytes]) -> None:
    content["data/KILL"] = b"[]"


def _add(content: dict[str, bytes]) -> None:
    content["strategies/evil.py"] = b"import os"


def _climb(content: dict[str, bytes]) -> None:
    manifest = json.loads(content[MANIFEST])
    manifest["members"][1]["name"] = "../../evil.py"
    content["../../evil.py"] = content.pop("data/brokers/mine.yaml")
    content[MANIFEST] = json.dumps(manifest).encode()


def _inflate(content: dict[str, bytes]) -> None:
    content["data/KILL"] = b"\0" * 5_000_000


def _no_manifest(content: dict[str, bytes]) -> None:
    del content[MANIFEST]


def _newer_format(content: dict[str, bytes]) -> None:
    manifest = json.loads(content[MANIFEST]) | {"format": 99, "version": "9.0"}
    content[MANIFEST] = json.dumps(manifest).encode()


SPOILED: dict[str, tuple[Spoil, str]] = {
    "truncated": (_cut, "cannot be read, or is cut short"),
    "a bit flipped": (_flip, "is damaged"),
    "no zip": (_letter, "cut short"),
    "tampered": (lambda file: _rewrite(file, _tamper), "'data/KILL' in it is not what was"),
    "a file more": (lambda file: _rewrite(file, _add), "other files than its manifest"),
    "a way out": (lambda file: _rewrite(file, _climb), "no place for a file"),
    "a bomb": (lambda file: _rewrite(file, _inflate), "is not what was backed up"),
    "no manifest": (lambda file: _rewrite(file, _no_manifest), "is damaged"),
    "newer": (lambda file: _rewrite(file, _newer_format), r"newer version of Quarterdeck \(9\.0\)"),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_what_is_damaged_or_foreign_touches_nothing(
    made: Path, spoiled: str, tmp_path: Path
) -> None:
    file, data = tmp_path / made.name, tmp_path / "data"
    shutil.copy(made, file)
    spoil, words = SPOILED[spoiled]
    spoil(file)
    write_files(data, FILES | {"state.db": "what there is"})
    before = tree(tmp_path)
    with pytest.raises(BackupError, match=words):
        verified(Settings(data=tmp_path / "none"), file)
    place = Place(data, tmp_path / "strategies", SqliteCopies(data / "state.db"))
    with pytest.raises(BackupError, match=words):
        restore(file, place, START, is_forced=True)
    assert tree(tmp_path) == before
    assert not (tmp_path.parent / "evil.py").exists()


def _edit_database(file: Path, folder: Path, statement: str) -> None:
    """Change a backup's database and make its manifest fit again."""

    def change(content: dict[str, bytes]) -> None:
        copy = folder / "edited.db"
        copy.write_bytes(content["state.db"])
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute(statement)
            connection.commit()
        content["state.db"] = copy.read_bytes()
        manifest = json.loads(content[MANIFEST])
        row = next(one for one in manifest["members"] if one["name"] == "state.db")
        row["size"] = len(content["state.db"])
        row["sha256"] = hashlib.sha256(content["state.db"]).hexdigest()
        if "version_num" in statement:
            manifest["facts"]["revision"] = "9999"
        content[MANIFEST] = json.dumps(manifest).encode()

    _rewrite(file, change)


def test_tables_of_a_newer_version_are_refused(made: Path, tmp_path: Path) -> None:
    file = tmp_path / made.name
    shutil.copy(made, file)
    _edit_database(file, tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(BackupError, match=r"newer version of Quarterdeck.*'9999'.*Update"):
        verified(Settings(data=tmp_path / "none"), file)


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM trades", "UPDATE audit_entries SET actor = 'nobody' WHERE seq = 1"],
)
def test_a_database_that_is_not_the_one_of_the_manifest_is_refused(
    made: Path, statement: str, tmp_path: Path
) -> None:
    file = tmp_path / made.name
    shutil.copy(made, file)
    _edit_database(file, tmp_path, statement)
    with pytest.raises(BackupError, match="not what its manifest says"):
        verified(Settings(data=tmp_path / "none"), file)


def test_tables_of_an_older_version_are_taken_and_migrated_at_the_next_start(
    tmp_path: Path,
) -> None:
    data, into = tmp_path / "old", tmp_path / "restored"
    data.mkdir()
    _make_tables(data / "state.db", "0007")
    sources, copies = Sources(data, data / "strategies"), SqliteCopies(data / "state.db")
    shelf = BackupFolder(tmp_path / "backups", sources, copies, "0.0.7", lambda: START)
    backup = shelf.make(with_candles=False)
    assert backup.manifest is not None
    assert backup.manifest.facts.revision == "0007"
    place = Place(into, into / "strategies", SqliteCopies(into / "state.db"))
    restore(shelf.folder / backup.name, place, START)
    store = SqlStore.open(f"sqlite:///{into / 'state.db'}")
    with store.database.reading() as session:
        assert read_facts(session).revision == max(known_revisions())
    store.close()


def _make_tables(path: Path, revision: str) -> None:
    """The tables as a version of that revision made them."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with create_engine(f"sqlite:///{path}", poolclass=NullPool).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_a_folder_that_an_engine_works_on_is_left_alone(room: BackupRoom, tmp_path: Path) -> None:
    file, into = room.make(), tmp_path / "busy"
    lock = FolderLock(into)
    lock.acquire()
    with pytest.raises(ConfigError, match=r"Another engine .* is running on the data folder"):
        put_back(Settings(data=tmp_path / "none"), file, into, actor="cli", is_forced=True)
    lock.release()


def test_a_database_elsewhere_that_an_engine_holds_is_left_alone(
    room: BackupRoom, tmp_path: Path
) -> None:
    file = room.make()
    room.store.acquire_lease("engine", "process 7 on elsewhere", timedelta(seconds=10))
    place = Place(tmp_path / "other", tmp_path / "strategies", room.copies)
    with pytest.raises(BackupError, match=r"An engine \(process 7 on elsewhere\) holds"):
        restore(file, place, room.clock.now(), is_forced=True)
    room.clock.advance(11)
    room.store.close()
    done = restore(file, place, room.clock.now(), is_forced=True)
    assert done.manifest.facts.counts["trades"] == 1
    assert (
        room.sources.data / f"before-restore-{room.clock.now():%Y%m%dT%H%M%S}Z/state.db"
    ).exists()


# --- disks and interruptions


class Small(io.FileIO):
    """A file on a disk that has room for so many bytes."""

    room = 0

    def write(self, data: Any) -> int:
        """Raises OSError once the room is used up."""
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


@pytest.mark.parametrize("room_for", [0, 700, 5_000])
def test_a_full_disk_leaves_no_backup_and_says_so(room: BackupRoom, room_for: int) -> None:
    def open_new(path: Path) -> BinaryIO:
        file = Small(path, "x+")
        file.room = room_for
        return cast(BinaryIO, file)

    shelf = BackupFolder(
        room.shelf.folder, room.sources, room.copies, "0.1.0", room.clock.now, open_new
    )
    with pytest.raises(BackupError, match=r"disk of .*backups is full: make room, or set QUARTERD"):
        shelf.make(with_candles=False)
    assert list(shelf.folder.iterdir()) == []


def test_what_a_killed_process_left_is_no_backup_and_goes_later(room: BackupRoom) -> None:
    left = room.shelf.folder / ".making-killed"
    write_files(left, {"backup.zip": "half"})
    file = room.make()
    assert [one.name for one in room.shelf.list()] == [file.name]
    assert left.exists(), "another process may be just writing it"
    for path in (left / "backup.zip", left):
        os.utime(path, (0, 0))
    again = room.make()
    assert again.name.endswith("Z-2.zip"), "two of one second"
    assert not left.exists()


def test_a_damaged_one_is_listed_with_what_is_wrong_and_never_rotated_away(
    room: BackupRoom,
) -> None:
    bad = room.make()
    _cut(bad)
    room.clock.advance(60)
    old = room.make()
    room.clock.advance(3 * 86_400)
    new = room.make()
    assert [bool(one.problem) for one in room.shelf.list()] == [False, False, True]
    assert room.shelf.rotate(Keeping(1, 0, 0)) == [old.name]
    assert {path.name for path in room.shelf.folder.iterdir()} == {bad.name, new.name}


def test_a_stopping_engine_gives_up_its_backup(room: BackupRoom) -> None:
    room.shelf.close()
    with pytest.raises(BackupError, match="engine stops"):
        room.make()
    assert list(room.shelf.folder.iterdir()) == []


class Killed(BaseException):
    """The process ends here."""


def _killing_at(number: int) -> Callable[[Path, Path], Path]:
    """``Path.rename``, but the process ends at the call of this number."""
    real, calls = Path.rename, iter(range(1, 1_000))

    def rename(self: Path, target: Path) -> Path:
        if next(calls) == number:
            raise Killed
        return real(self, target)

    return rename


def test_a_restore_that_is_killed_anywhere_is_taken_back(
    room: BackupRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In-process undo is switched off, as ``kill -9`` switches it off."""
    file, data = room.make(), room.sources.data
    write_files(data, {"studies/new.log": "newer"})
    room.store.close()
    (room.sources.strategies / "mine.py").unlink()
    before, kills = tree(tmp_path), 0
    for number in range(1, 40):
        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", _killing_at(number))
            patched.setattr(restoring, "undo_unfinished", lambda _data: False)
            patched.setattr(shutil, "rmtree", lambda *_a, **_k: None)
            try:
                room.restore_here(file, is_forced=True)
            except Killed:
                kills += 1
            else:
                break
        assert undo_unfinished(data)
        assert tree(tmp_path) == before, f"after the kill at rename {kills}"
    assert kills >= 5
    assert (data / "studies/s1.log").exists()
    assert not (data / "studies/new.log").exists()


def test_a_restore_onto_a_disk_that_fails_is_taken_back_at_once(
    room: BackupRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = room.make()
    room.store.close()
    before = tree(tmp_path)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(room.copies, "put", fail)
    with pytest.raises(BackupError, match=r"is full: make room"):
        room.restore_here(file, is_forced=True)
    assert tree(tmp_path) == before
