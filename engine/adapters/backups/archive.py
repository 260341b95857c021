"""The file of a backup: a zip with ``manifest.json``, which has the SHA-256 of every other member.

Nothing in such a file is believed before it is checked: it may come from a damaged disk, or from a
stranger.
"""

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from pydantic import ValidationError

from engine.adapters.backups.durable import MODE
from engine.domain.backups import FORMAT, Manifest, Member
from engine.errors import BackupError

MANIFEST = "manifest.json"
LARGEST_MANIFEST = 64 * 1024 * 1024
CHUNK = 1024 * 1024
PACKED = frozenset({".parquet", ".gz", ".zip"})
"""Ends of names of what does not get smaller."""

Asked = Callable[[], None]
"""Raises when the work is to be given up."""


def create(path: Path) -> BinaryIO:
    """A new file that only its owner may read. Raises OSError."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, MODE), "w+b")


def write_archive(
    file: BinaryIO,
    sources: Iterable[tuple[str, Path]],
    manifest_of: Callable[[tuple[Member, ...]], Manifest],
    go_on: Asked,
) -> Manifest:
    """Pack ``sources``, names within the archive and files, then the manifest; all of it durable.

    A file that went away meanwhile is left out. Raises OSError, and what ``go_on`` raises.
    """
    members = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, path in sources:
            try:
                source = path.open("rb")
            except FileNotFoundError:
                continue
            with source:
                members.append(_pack(archive, name, source, go_on))
        manifest = manifest_of(tuple(members))
        archive.writestr(MANIFEST, manifest.model_dump_json(indent=1))
    file.flush()
    os.fsync(file.fileno())
    return manifest


def _pack(archive: zipfile.ZipFile, name: str, source: BinaryIO, go_on: Asked) -> Member:
    digest, size = hashlib.sha256(), 0
    info = zipfile.ZipInfo(name)
    info.external_attr = MODE << 16
    is_packed = PurePosixPath(name).suffix in PACKED
    info.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
    with archive.open(info, "w", force_zip64=True) as target:
        while chunk := source.read(CHUNK):
            go_on()
            digest.update(chunk)
            target.write(chunk)
            size += len(chunk)
    return Member(name=name, size=size, sha256=digest.hexdigest())


def read_manifest(path: Path) -> Manifest:
    """What a backup says about itself; nothing of it is checked. Raises BackupError."""
    return _read(path, lambda archive: _manifest(archive, path))


def unpack(
    path: Path,
    place_of: Callable[[str], Path | None],
    go_on: Asked = lambda: None,
) -> Manifest:
    """Check every member against the manifest, and write it to ``place_of`` its name, if that is
    one. Raises BackupError saying what is wrong, and OSError when a file cannot be written."""

    def check(archive: zipfile.ZipFile) -> Manifest:
        manifest = _manifest(archive, path)
        names = sorted(info.filename for info in archive.infolist())
        if names != sorted([MANIFEST, *(one.name for one in manifest.members)]):
            raise _damaged(path, "it has other files than its manifest says")
        for member in manifest.members:
            _refuse_outside(path, member.name)
            with archive.open(member.name) as source:
                _check(path, member, source, place_of(member.name), go_on)
        return manifest

    return _read(path, check)


def _read(path: Path, work: Callable[[zipfile.ZipFile], Manifest]) -> Manifest:
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise BackupError(f"There is no file {path}.") from error
    except (OSError, zipfile.BadZipFile) as error:
        raise _damaged(path, f"it cannot be read, or is cut short ({error})") from error
    with archive:
        try:
            return work(archive)
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError,
                RuntimeError) as error:  # fmt: skip
            raise _damaged(path, str(error)) from error


def _manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    with archive.open(MANIFEST) as file:
        content = file.read(LARGEST_MANIFEST + 1)
    if len(content) > LARGEST_MANIFEST:
        raise _damaged(path, "its manifest is too large")
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise _damaged(path, "its manifest cannot be read") from error
    if manifest.format > FORMAT:
        raise BackupError(
            f"{path.name} was written by a newer version of Quarterdeck ({manifest.version})."
            " Update Quarterdeck, then try again."
        )
    return manifest


def _check(
    path: Path, member: Member, source: IO[bytes], target: Path | None, go_on: Asked
) -> None:
    """Not one byte more than was promised is read: a small file may unpack to an endless one."""
    digest, left = hashlib.sha256(), member.size
    output = _open_target(target) if target is not None else None
    try:
        while chunk := source.read(min(CHUNK, left + 1)):
            go_on()
            left -= len(chunk)
            if left < 0:
                break
            digest.update(chunk)
            if output is not None:
                output.write(chunk)
        if left or digest.hexdigest() != member.sha256:
            raise _damaged(path, f"'{member.name}' in it is not what was backed up")
        if output is not None:
            output.flush()
            os.fsync(output.fileno())
    finally:
        if output is not None:
            output.close()


def _open_target(target: Path) -> BinaryIO:
    target.parent.mkdir(parents=True, exist_ok=True)
    return create(target)


def _refuse_outside(path: Path, name: str) -> None:
    """A name must stay within the folder that it is unpacked to, on any system."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name:
        raise _damaged(path, f"'{name}' in it is no place for a file")


def _damaged(path: Path, why: str) -> BackupError:
    return BackupError(f"{path.name} is damaged, or no backup: {why}. Use another one.")
