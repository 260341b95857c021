"""Strangers' text made harmless to show and to hand on: no markup, nothing invisible, no address
that is none. What it says stays what it says; nobody may take it for an instruction."""

import re
import unicodedata
from html.parser import HTMLParser

LONGEST_READ = 20_000
LONGEST_URL = 500
HIDDEN = frozenset({"script", "style", "template", "noscript", "head", "title", "svg", "iframe"})
BLOCKS = frozenset({"p", "br", "div", "li", "tr", "td", "th", "hr", "h1", "h2", "h3", "h4", "img"})
"""Tags that part two words; others are within one."""
# Format, surrogate, private and unassigned characters: bidirectional overrides, zero widths, tags.
UNSEEN = frozenset({"Cf", "Cs", "Co", "Cn"})
VARIATIONS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
URL = re.compile(r"https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?(?:[/?#]\S*)?", re.I)
UNSAFE_IN_URL = re.compile(r"[\x00-\x20\x7f\"'<>\\^`{|}]")


class _Words(HTMLParser):
    """Collects the text of markup, without that of scripts and the like."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in HIDDEN
        self._part(tag)

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in HIDDEN and self._hidden > 0
        self._part(tag)

    def _part(self, tag: str) -> None:
        if tag in BLOCKS:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def plain_text(text: str, longest: int) -> str:
    """``text`` without markup and invisible characters, on one line, at most ``longest``
    characters with a "…" for what was cut."""
    words = _Words()
    words.feed(text[:LONGEST_READ])
    words.close()
    seen = unicodedata.normalize("NFC", VARIATIONS.sub("", "".join(words.parts)))
    kept = "".join(
        " " if unicodedata.category(one) == "Cc" else one
        for one in seen
        if unicodedata.category(one) not in UNSEEN
    )
    line = " ".join(kept.split())
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def safe_url(url: str) -> str:
    """``url`` where it is a plain address of the web, else nothing: no script, no name and
    password, nothing that would end a quotation."""
    text = url.strip()
    if len(text) > LONGEST_URL or not text.isascii() or UNSAFE_IN_URL.search(text):
        return ""
    return text if URL.fullmatch(text) else ""
