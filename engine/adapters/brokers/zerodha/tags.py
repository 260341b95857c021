"""Kite's ``tag``: the only label an order has, 20 letters and digits, made from the client id.

The ids that the desk makes (``qd-<bot>-<time>-<leg>``) are packed so that they can be read back,
by anybody and after a restart; others stand for themselves where they fit, or are hashed: those
are found by their id, but a listed order does not tell it.
"""

import hashlib
import re
import string
from typing import NamedTuple

LONGEST = 20
DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
PLAIN = "R"
HASHED = "H"
LEG = r"(?P<leg>[a-z0-9.]*)"
DOT = "Z"  # legs are lower case


class Form(NamedTuple):
    """How ids of one make are packed: numbers of a base and a width, then the leg as it is."""

    pattern: re.Pattern[str]
    template: str
    bases: tuple[tuple[int, int], ...]  # base of the number, its digits in the id


BOT, DIGEST = "([0-9a-f]{8})", "([0-9a-f]{10})"
FORMS = {
    "A": Form(re.compile(rf"qd-{BOT}-(\d{{10}})-{LEG}"), "qd-{}-{}-", ((16, 8), (10, 10))),
    "B": Form(re.compile(rf"qd-{BOT}-{DIGEST}-{LEG}"), "qd-{}-{}-", ((16, 8), (16, 10))),
    "C": Form(re.compile(rf"qd-close-{DIGEST}-{LEG}"), "qd-close-{}-", ((16, 10),)),
    "D": Form(re.compile(rf"qd-{DIGEST}{LEG}"), "qd-{}", ((16, 10),)),
}


def tag_of(client_id: str) -> str:
    """The tag of an order: the same id gives the same tag, always."""
    for mark, form in FORMS.items():
        found = form.pattern.fullmatch(client_id)
        if found is None:
            continue
        numbers = [
            _packed(int(found[place], base), _width(base, digits))
            for place, (base, digits) in enumerate(form.bases, start=1)
        ]
        tag = mark + "".join(numbers) + found["leg"].replace(".", DOT)
        if len(tag) <= LONGEST:
            return tag
    if client_id.isascii() and client_id.isalnum() and len(client_id) < LONGEST:
        return PLAIN + client_id
    number = int.from_bytes(hashlib.sha256(client_id.encode()).digest(), "big")
    return HASHED + _packed(number % len(DIGITS) ** (LONGEST - 1), LONGEST - 1)


def find_client_id(tag: str) -> str | None:
    """The client id that a tag was made from; None for a hashed one, and for somebody else's."""
    if tag.startswith(PLAIN):
        return tag[1:] if tag_of(tag[1:]) == tag else None
    form = FORMS.get(tag[:1])
    if form is None or not (tag.isascii() and tag.isalnum()):
        return None
    numbers, place = [], 1
    for base, digits in form.bases:
        end = place + _width(base, digits)
        numbers.append(_written(_unpacked(tag[place:end]), base, digits))
        place = end
    client_id = form.template.format(*numbers) + tag[place:].replace(DOT, ".")
    return client_id if tag_of(client_id) == tag else None


def _width(base: int, digits: int) -> int:
    """How many of our digits hold every number of so many digits of another base."""
    width = 1
    while len(DIGITS) ** width < base**digits:
        width += 1
    return width


def _packed(number: int, width: int) -> str:
    letters = ""
    for _ in range(width):
        number, rest = divmod(number, len(DIGITS))
        letters = DIGITS[rest] + letters
    return letters


def _unpacked(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * len(DIGITS) + DIGITS.index(letter)
    return number


def _written(number: int, base: int, digits: int) -> str:
    return f"{number:0{digits}x}" if base == 16 else f"{number:0{digits}d}"
