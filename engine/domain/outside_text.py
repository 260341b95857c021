"""Text of strangers made harmless to keep and to show to a model: cleaned, cut, fenced."""

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence

BREAKS = frozenset({"Cc", "Zl", "Zp"})
HIDDEN = frozenset({"Cf", "Cs", "Co", "Cn"})
"""Categories of characters that are not seen: format (bidi, zero width, tags), surrogates, private
and unassigned ones. Instructions can be hidden in them, and no database need take them."""

ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})
"""What JSON reads back as the same character, and no eye or model takes for a mark."""

SCAN = 4
"""How many times the wanted length is looked at: of a very long text the rest is never read."""


def clean(text: str, most: int) -> str:
    """One line of at most ``most`` characters, all of them visible."""
    seen = []
    for char in text[: most * SCAN]:
        category = unicodedata.category(char)
        if category in BREAKS:
            seen.append(" ")
        elif category not in HIDDEN:
            seen.append(char)
    line = " ".join("".join(seen).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def storable(text: str, most: int) -> str:
    """The text as it came, as far as a database takes it: no NUL, no half characters, at most
    ``most`` characters."""
    return text[:most].replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def fenced(items: Sequence[Mapping[str, object]], seed: str) -> tuple[str, str]:
    """``items`` as JSON between two marks; the marks' name and the whole.

    The name is a digest of ``seed`` and of the items themselves: the same for the same prompt, and
    not to be known by who writes an item, since writing it down changes it. No mark of any name
    can stand within the fence: there are no angle brackets in it.
    """
    body = json.dumps(items, ensure_ascii=False, separators=(",", ":")).translate(ESCAPES)
    digest = hashlib.sha256(f"{seed}\0{body}".encode("utf-8", "replace")).hexdigest()
    name = f"data-{digest[:16]}"
    return name, f"<{name}>\n{body}\n</{name}>"
