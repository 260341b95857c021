"""The search for canaries finds them: as they are, encoded, within other text, and packed."""

import base64
import gzip
import io
import tarfile
import zipfile

import pytest

from tests.support.canaries import Flock, unpacked

FLOCK = Flock(port=9)
CANARY = FLOCK.plant("a place")
FLOCK.plant("another")


@pytest.mark.parametrize("before", ["", "a", "ab", "user:"])
@pytest.mark.parametrize("after", ["", "z", "yz"])
def test_it_is_found_within_what_was_encoded(before: str, after: str) -> None:
    whole = f"{before}{CANARY}{after}"
    encoded = [
        whole.encode(), base64.b64encode(whole.encode()), base64.urlsafe_b64encode(whole.encode()),
        whole.encode().hex().encode(), whole.encode("utf-16"), whole[::-1].encode(),
        "".join(f"%{one:02X}" for one in whole.encode()).encode(),
    ]  # fmt: skip
    for data in encoded:
        places = {one.partition(" (")[0] for one in FLOCK.found_in(b"...." + data + b"....")}
        assert places == {"a place"}, data


def test_nothing_is_found_where_nothing_is() -> None:
    assert FLOCK.found_in(b"CanaryNo000" * 100) == []
    assert FLOCK.found_in(CANARY.encode(), allowed=["a place"]) == []


def test_archives_are_looked_into() -> None:
    inner, zipped, tarred = gzip.compress(CANARY.encode()), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deep/file.gz", inner)
    with tarfile.open(fileobj=tarred, mode="w:gz") as tar:
        entry = tarfile.TarInfo("all.zip")
        entry.size = len(zipped.getvalue())
        tar.addfile(entry, io.BytesIO(zipped.getvalue()))
    assert not FLOCK.found_in(tarred.getvalue())
    found = [name for name, data in unpacked("x", tarred.getvalue()) if FLOCK.found_in(data)]
    assert found == ["x (gzip)/all.zip/deep/file.gz (gzip)"]


def test_a_field_that_nothing_fits_is_no_silent_gap() -> None:
    with pytest.raises(ValueError, match="no canary fits into nowhere"):
        FLOCK.plant("nowhere", lambda _value: False)
