"""Each documented error of each venue, and what its broker makes of it."""

from pathlib import Path

import pytest

from tests.contract.all_venues import TROUBLES


@pytest.mark.parametrize("case", list(TROUBLES))
def test_what_goes_wrong_at_a_venue_has_its_own_error_and_sentence(
    case: str, tmp_path: Path
) -> None:
    make, trouble = TROUBLES[case]
    venue = make(tmp_path)
    try:
        trouble.begin(venue)
        with pytest.raises(trouble.error, match=trouble.words):
            trouble.act(venue)
    finally:
        venue.close()
