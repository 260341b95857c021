"""Texts as providers take them: cut to a length that is counted as they count."""


def units(text: str) -> int:
    """Its length in UTF-16 units: what Twilio and Telegram count, and most of an emoji's two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def fitted(text: str, most: int) -> str:
    """``text`` without space around it, cut to so many UTF-16 units with an ellipsis."""
    whole = text.strip()
    if units(whole) <= most:
        return whole
    kept = whole.encode("utf-16-le", "surrogatepass")[: 2 * (most - 1)]
    return kept.decode("utf-16-le", "ignore").rstrip() + "…"
