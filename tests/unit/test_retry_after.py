"""What a venue says of when it may be asked again."""

import pytest

from engine.links.http import Answer

NOON = "Mon, 02 Mar 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 0 "}, 0),
        ({"retry-after": "Mon, 02 Mar 2026 12:01:30 GMT", "date": NOON}, 90),
        ({"retry-after": "Mon, 02 Mar 2026 11:59:00 GMT", "date": NOON}, 0),
        ({"retry-after": "Mon, 02 Mar 2026 12:01:30 GMT"}, None),
        ({"retry-after": "Mon, 02 Mar 2026 12:01:30 -0000", "date": NOON}, None),
        ({"retry-after": "soon", "date": NOON}, None),
        ({"retry-after": "-5", "date": NOON}, None),
        ({"date": NOON}, None),
        ({}, None),
    ],
)
def test_a_pause_is_told_in_seconds_or_by_a_date(
    headers: dict[str, str], wait_s: float | None
) -> None:
    assert Answer(429, "", headers).retry_after_s == wait_s
