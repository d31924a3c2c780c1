"""tests/DEFECTS.md against the sources: every row has tests that exist, and every test named after a row stands in it."""
import re

from conftest import ROOT

ROWS = {number: re.findall(r"`(\w+)`", tests) for number, tests in re.findall(r"^\| D(\d+) \|[^|]*\|(.*)\|$", (ROOT / "tests/DEFECTS.md").read_text(), re.M)}
NAMED = re.compile(r"\b(?:fn|def) ((?:test_)?d\d+_\w+)\(")


def sources():
    for folder in ("stream", "remediation", "schemas", "analytics", "tests"):
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in (".rs", ".py") and not {"target", ".venv"} & set(file.relative_to(ROOT).parts):
                yield file


def numbers(test):
    """The rows that a test is named after: `d3_d27_…` after two."""
    return re.match(r"((?:d\d+_)+)", test.removeprefix("test_"))[1].replace("d", "").strip("_").split("_")


def test_every_row_has_tests_and_every_test_named_after_a_row_stands_in_it():
    assert sorted(map(int, ROWS)) == list(range(1, 30))
    assert all(ROWS.values()), {row for row, tests in ROWS.items() if not tests}
    written = {name for file in sources() for name in NAMED.findall(file.read_text())}
    listed = {(number, test) for number, tests in ROWS.items() for test in tests}
    expected = {(number, test) for test in written for number in numbers(test) if number in ROWS}
    assert listed == expected, f"only in the table: {sorted(listed - expected)}; only in the sources: {sorted(expected - listed)}"
