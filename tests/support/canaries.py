"""Canaries: secrets that are like no other text, and the search for them in whatever comes out."""

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

CORE_LETTERS = 23
HELD_IN = (
    "{core}",
    "70000001:{core}",
    "http://127.0.0.1:{port}/api/webhooks/1234567/{core}",
    "json://127.0.0.1:{port}/{core}",
    "http://127.0.0.1:{port}/{core}",
)
"""What fields take: a word, a token of Telegram, addresses. The first that fits is planted."""


@dataclass(frozen=True)
class Canary:
    """``value`` is what was planted at ``place``, ``core`` the part of it that is searched for."""

    place: str
    value: str
    core: str

    @cached_property
    def forms(self) -> Mapping[str, bytes]:
        """What it looks like as it is, encoded, or as a part of something that was encoded."""
        return forms_of(self.core)


def forms_of(core: str) -> Mapping[str, bytes]:
    """By the name of the encoding. Base64 has three forms, by what stands before it; letters that
    depend on what is around are left out."""
    raw = core.encode()
    found = {"raw": raw, "backwards": raw[::-1], "hex": raw.hex().encode(),
             "HEX": raw.hex().upper().encode(), "utf-16": core.encode("utf-16-le"),
             "url": "".join(f"%{byte:02X}" for byte in raw).encode()}  # fmt: skip
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        first = -(-shift * 4 // 3)
        last = (shift + len(raw)) * 4 // 3
        found[f"base64 {shift}"] = whole[first + (shift > 0) : last]
        found[f"base64url {shift}"] = found[f"base64 {shift}"].translate(
            bytes.maketrans(b"+/", b"-_")
        )
    return found


@dataclass
class Flock:
    """Every canary that was planted. ``port`` is one of the loopback where nobody answers."""

    port: int
    canaries: list[Canary] = field(default_factory=list)

    def plant(self, place: str, fits: Callable[[str], bool] = lambda _value: True) -> str:
        """A new canary in a form that ``fits``; its value. Raises ValueError when none does: then
        ``HELD_IN`` needs another."""
        core = self._core(place)
        for held_in in HELD_IN:
            value = held_in.format(core=core, port=self.port)
            if fits(value):
                self.canaries.append(Canary(place, value, core))
                return value
        raise ValueError(f"no canary fits into {place}")

    def plant_key(self, place: str) -> str:
        """A canary of 32 bytes that is a key in base64; the text of the key."""
        core = self._core(place)
        self.canaries.append(Canary(place, core, core))
        return base64.b64encode(core.encode()).decode()

    def watch(self, place: str, value: str) -> None:
        """Search for a secret that the engine itself has made."""
        self.canaries.append(Canary(place, value, value))

    def found_in(self, data: bytes, allowed: Sequence[str] = ()) -> list[str]:
        """The places of those that are in ``data``, whatever their form."""
        return [
            f"{one.place} ({form})"
            for one in self.canaries
            if one.place not in allowed
            for form, needle in one.forms.items()
            if needle in data
        ]

    def _core(self, place: str) -> str:
        """32 letters and digits, not two alike."""
        digest = hashlib.sha256(place.encode()).digest()
        letters = base64.b32encode(digest).decode().lower()[:CORE_LETTERS]
        return f"Canary{len(self.canaries):03d}{letters}"


def files_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file, and what is packed in it."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield from unpacked(str(path.relative_to(folder)), path.read_bytes())


def unpacked(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """``data`` and, where it is an archive, its members, however deep."""
    yield name, data
    if data[:2] == b"\x1f\x8b":
        yield from unpacked(f"{name} (gzip)", gzip.decompress(data))
    elif data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for entry in archive:
                content = archive.extractfile(entry)
                if content is not None:
                    yield from unpacked(f"{name}/{entry.name}", content.read())
    elif data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as zipped:
            for member in zipped.namelist():
                yield from unpacked(f"{name}/{member}", zipped.read(member))
