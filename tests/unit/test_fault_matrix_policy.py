"""Every row of the fault matrix has a test of its name, and the table says where."""

import re
from collections import defaultdict

from tooling.place import ROOT

TESTS = ROOT / "tests"
TABLE = ROOT / "docs" / "fault-matrix.md"
ROWS = {*range(1, 32)}
TEST = re.compile(r"^def (test_row_\w+)\(", re.MULTILINE)
ROW = re.compile(r"row_(\d\d)")
LINE = re.compile(r"^\| (\d\d) \|.*\| ([^|]+) \|$", re.MULTILINE)


def files_by_row() -> dict[int, set[str]]:
    """Row: the files that have a test of its name."""
    found = defaultdict(set)
    for path in TESTS.rglob("test_*.py"):
        for name in TEST.findall(path.read_text("utf-8")):
            for row in ROW.findall(name):
                found[int(row)].add(path.relative_to(TESTS).as_posix())
    return dict(found)


def test_every_row_has_a_test_and_no_test_names_another_row() -> None:
    assert set(files_by_row()) == ROWS


def test_the_table_names_the_files_of_every_row() -> None:
    told = {int(row): set(files.split(", ")) for row, files in
            LINE.findall(TABLE.read_text("utf-8"))}  # fmt: skip
    assert told == files_by_row()
