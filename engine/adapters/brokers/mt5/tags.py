"""Client ids as comments: what MetaTrader keeps of ours with an order, next to the magic number.

A comment has 31 characters at the most, and brokers' servers keep 27 or more of them. An id of the
engine's, ``qd-1a2b3c4d-1764123456-e``, is written as ``Q1a2b3c4d0t6badce``: mark, bot, time in base
36, leg; it can be read back. Other ids stand as they are, or, if they are too long, as a digest:
those are found again, but not recognised in a list. An order closing several positions becomes
several of MetaTrader's, whose comments end in ``/`` and two digits: which, and of how many.
"""

import hashlib
import re
from base64 import b32encode
from typing import NamedTuple

LONGEST = 24
MOST_PARTS = 35
EPOCH_DIGITS = 7
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
FOREIGN = "mt5-"
"""What ids of orders that are not ours begin with; their ticket follows."""

_ENGINE = re.compile(r"qd-([0-9a-f]{8})-([1-9]\d{8,10})-([\x21-\x2e\x30-\x7e]{1,8})")
_TAG = re.compile(r"Q([0-9a-f]{8})([0-9a-z]{7})([\x21-\x2e\x30-\x7e]{1,8})")
_PLAIN = re.compile(r"[\x21\x22\x24-\x2e\x30-\x50\x52-\x7e][\x21-\x2e\x30-\x7e]{0,23}")
_PART = re.compile(r"(.*)/([1-9a-z])([1-9a-z])")


class Tag(NamedTuple):
    """A comment, understood: the order's tag, and which of how many parts it is."""

    name: str
    part: int = 1
    parts: int = 1


def tag_of(client_id: str) -> str:
    """The comment of an order of one part; always the same for an id."""
    ours = _ENGINE.fullmatch(client_id)
    if ours is not None:
        bot, epoch, leg = ours.groups()
        return f"Q{bot}{_base36(int(epoch)):0>{EPOCH_DIGITS}}{leg}"
    if _PLAIN.fullmatch(client_id):
        return client_id
    digest = hashlib.sha256(client_id.encode()).digest()
    return f"#{b32encode(digest).decode()[:20]}"


def part_of(tag: str, part: int, parts: int) -> str:
    """The comment of one of several parts, counted from 1."""
    return tag if parts == 1 else f"{tag}/{DIGITS[part]}{DIGITS[parts]}"


def read_tag(comment: str) -> Tag:
    """What a comment says."""
    found = _PART.fullmatch(comment)
    if found is None:
        return Tag(comment)
    name, part, parts = found.groups()
    return Tag(name, DIGITS.index(part), DIGITS.index(parts))


def client_id_of(tag: str) -> str:
    """The id of a tag; a digest stays what it is."""
    ours = _TAG.fullmatch(tag)
    if ours is None:
        return tag
    bot, epoch, leg = ours.groups()
    return f"qd-{bot}-{int(epoch, 36)}-{leg}"


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, place = divmod(number, 36)
        digits = DIGITS[place] + digits
    return digits
