"""Segments of text messages, counted by the standard's own numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.sms import MOST_LETTERS, Size, plain, shortened, size_of

GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The basic table of 3GPP TS 23.038, without its escape."""
TWICE = "^{}\\[~]|€\f"
"""Its extension: two septets each."""


@pytest.mark.parametrize(
    ("text", "segments", "is_gsm"),
    [
        ("", 1, True),
        ("a" * 160, 1, True),
        ("a" * 161, 2, True),
        ("a" * 306, 2, True),
        ("a" * 307, 3, True),
        ("€" * 80, 1, True),
        ("€" * 81, 2, True),
        ("a" * 159 + "€", 2, True),
        ("a" * 152 + "€" + "a" * 152, 3, True),  # the escape is not torn from its letter
        ("a" * 152 + "€" + "a" * 151, 2, True),
        ("я" * 70, 1, False),
        ("я" * 71, 2, False),
        ("я" * 134, 2, False),
        ("я" * 135, 3, False),
        ("😀" * 35, 1, False),
        ("😀" * 36, 2, False),
        ("я" * 66 + "😀" + "я" * 66, 3, False),  # nor one half of a letter from the other
        ("ç", 1, False),  # only the capital one is in the table
    ],
)
def test_segments(text: str, segments: int, is_gsm: bool) -> None:
    assert size_of(text) == Size(segments, is_gsm)


def test_the_alphabet_is_the_standards() -> None:
    assert len(GSM) == 127
    assert all(size_of(letter * 160) == Size(1, is_gsm=True) for letter in GSM)
    assert all(size_of(letter * 80) == Size(1, is_gsm=True) for letter in TWICE)
    assert all(size_of(letter * 81) == Size(2, is_gsm=True) for letter in TWICE)
    assert not size_of("`").is_gsm
    assert not size_of("\t").is_gsm


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("“Buy” – ½ BTC…", '"Buy" - 1/2 BTC...'),
        ("1 000 × 2 → 5 ≥ 3", "1 000 x 2 -> 5 >= 3"),
        ("Šárka čeká", "Sarka ceka"),
        ("Größe à Ñ é ∆", "Größe à Ñ é ∆"),
        ("Привет", "Привет"),
        ("a\r\nb\tc", "a\nb c"),
    ],
)
def test_typographic_signs_are_written_plainly(text: str, written: str) -> None:
    assert plain(text) == written


@given(st.text(max_size=2_500), st.integers(1, 10))
def test_what_is_shortened_fits_and_is_not_cut_without_need(text: str, segments: int) -> None:
    cut = shortened(text, segments)
    assert size_of(cut).segments <= segments
    assert len(cut) <= MOST_LETTERS
    if size_of(text).segments <= segments and len(text) <= MOST_LETTERS:
        assert cut == text
    else:
        assert cut.endswith("...")


@given(st.text(max_size=200))
def test_plain_never_makes_a_message_dearer_than_its_letters(text: str) -> None:
    assert plain(plain(text)) == plain(text)
    if size_of(text).is_gsm:
        assert size_of(plain(text)).is_gsm
