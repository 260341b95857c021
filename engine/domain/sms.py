"""Text messages: what fits in how many segments, and letters that do not make them dearer.

A text whose letters are all of GSM 03.38 goes with 7 bits a letter: 160 in one message, 153 in each
of several. One other letter makes it UCS-2: 70 and 67. Source: 3GPP TS 23.038 and 23.040.
"""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from gsm0338 import Codec

MOST_LETTERS = 1_600
"""Twilio takes no longer message."""
GSM_ALONE, GSM_JOINED = 160, 153
UCS2_ALONE, UCS2_JOINED = 70, 67
CUT = "..."

LOOK_ALIKES = str.maketrans({
    "‘": "'", "’": "'", "‚": "'", "′": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
    "‹": "'", "›": "'", "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-", "…": "...", "•": "-",
    "·": "-", "×": "x", "÷": "/", "→": "->", "←": "<-", "↑": "up", "↓": "down", "≥": ">=",
    "≤": "<=", "≠": "!=", "≈": "~", "½": "1/2", "¼": "1/4", "¾": "3/4", "±": "+/-", "°": " deg",
    "µ": "u", "™": "TM", "©": "(c)", "®": "(R)", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
    "\u200b": "", "\ufeff": "", "\t": " ", "`": "'", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D",
})  # fmt: skip

_CODEC = Codec()


@dataclass(frozen=True)
class Size:
    """How a text goes."""

    segments: int
    is_gsm: bool


def size_of(text: str) -> Size:
    """Its segments, at least one. A letter of two units is never torn between two segments."""
    units = [_septets(letter) for letter in text]
    if all(units):
        return Size(_segments(units, GSM_ALONE, GSM_JOINED), is_gsm=True)
    return Size(_segments(_ucs2_units(text), UCS2_ALONE, UCS2_JOINED), is_gsm=False)


def plain(text: str) -> str:
    """``text`` with typographic signs and accents written as GSM 03.38 can; what has no likeness
    there (Cyrillic, Chinese, emoji) stays, and makes the message UCS-2."""
    return "".join(one if _septets(one) else _without_accent(one)
                   for one in text.replace("\r\n", "\n").translate(LOOK_ALIKES))  # fmt: skip


def shortened(text: str, segments: int) -> str:
    """``text`` cut, with three dots, so that it fits into ``segments`` (at least one)."""
    if len(text) <= MOST_LETTERS and size_of(text).segments <= segments:
        return text
    low, high = 0, min(len(text), MOST_LETTERS - len(CUT))
    while low < high:
        middle = (low + high + 1) // 2
        if size_of(text[:middle].rstrip() + CUT).segments <= segments:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + CUT


@lru_cache(maxsize=2_048)
def _septets(letter: str) -> int:
    """One or two; zero when the alphabet does not have it."""
    try:
        return len(_CODEC.encode(letter)[0])
    except UnicodeEncodeError:
        return 0


def _ucs2_units(text: str) -> list[int]:
    return [2 if ord(letter) > 0xFFFF else 1 for letter in text]


def _segments(units: list[int], alone: int, joined: int) -> int:
    if sum(units) <= alone:
        return 1
    count, used = 1, 0
    for unit in units:
        if used + unit > joined:
            count, used = count + 1, 0
        used += unit
    return count


def _without_accent(letter: str) -> str:
    bare = "".join(one for one in unicodedata.normalize("NFKD", letter)
                   if not unicodedata.combining(one))  # fmt: skip
    return bare if bare and all(_septets(one) for one in bare) else letter
