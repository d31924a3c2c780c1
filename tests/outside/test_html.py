"""The HTML report as a browser shows it: offline, light and dark, on paper, sorted by a click, hostile names as text."""
import json

import pytest

import browser
from conftest import run

pytestmark = pytest.mark.skipif(not browser.PROGRAM, reason="NOT RUN: chromium is not installed (apt-get install chromium): the HTML report was not looked at")

HOSTILE = ["<img src=x onerror=document.title='run'>", "<script>document.title='run'</script>", "\"><b id=injected>", "{{7*7}}", "javascript:run()", "‮evil"]


@pytest.fixture(scope="module")
def report(lake, tmp_path_factory):
    file = tmp_path_factory.mktemp("html") / "report.html"
    run("analytics", "report", "--month", "2023-07", "--audit", lake, "--format", "html", "--output", file)
    return file


@pytest.fixture(scope="module")
def shown(report):
    with browser.page() as page:
        page.open(report)
        yield page


def column(page, table, place):
    return page.ask(f"Array.from(document.querySelector('#{table} table').tBodies[0].rows, row => row.cells[{place}].textContent)")


def click(page, table, place):
    page.ask(f"document.querySelectorAll('#{table} th button')[{place}].click()")


def test_nothing_is_fetched_and_nothing_is_complained_about(report, shown):
    assert shown.requests == [report.resolve().as_uri()]
    assert shown.complaints == []
    assert shown.ask("document.querySelectorAll('svg').length") >= 4
    assert shown.ask("document.querySelectorAll('table.sortable').length") >= 6


def test_a_click_sorts_a_table_and_a_second_one_turns_it_round(shown):
    before = column(shown, "rules", 1)
    click(shown, "rules", 2)
    counts = [int(text) for text in column(shown, "rules", 2)]
    assert counts == sorted(counts, reverse=True)
    click(shown, "rules", 2)
    assert [int(text) for text in column(shown, "rules", 2)] == sorted(counts)
    click(shown, "rules", 1)
    names = column(shown, "rules", 1)
    assert names == sorted(names, key=str.lower) and sorted(before) == sorted(names)
    click(shown, "rules", 0)
    ranks = ["CRITICAL", "HIGH", "MEDIUM", "LOW"]
    order = [ranks.index(text) for text in column(shown, "rules", 0)]
    assert order in (sorted(order), sorted(order, reverse=True)) and len(set(order)) > 1


def luminance(page, part):
    """Of the background, or of the text, of the page, from 0 to 1."""
    color = page.ask(f"getComputedStyle(document.body).{part}")
    red, green, blue = (float(value) for value in color.strip("rgba()").split(",")[:3])
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def test_light_and_dark_have_their_colours_and_the_page_is_never_wider_than_the_window(shown, tmp_path):
    seen = {}
    for scheme in ("light", "dark"):
        shown.medium(scheme)
        seen[scheme] = luminance(shown, "backgroundColor")
        assert abs(seen[scheme] - luminance(shown, "color")) > 0.5, "text stands out from its background"
        assert shown.ask("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        shown.screenshot(tmp_path / f"{scheme}.png")
        assert (tmp_path / f"{scheme}.png").read_bytes().startswith(b"\x89PNG")
    assert seen["light"] > 0.85 and seen["dark"] < 0.2, seen


def test_on_paper_it_is_dark_on_light_even_from_a_dark_screen(shown, tmp_path):
    shown.medium("dark", "print")
    assert luminance(shown, "color") < 0.4 and shown.ask("matchMedia('print').matches")
    shown.pdf(tmp_path / "report.pdf")
    pdf = (tmp_path / "report.pdf").read_bytes()
    assert pdf.startswith(b"%PDF") and pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") >= 1
    shown.medium("light")


def test_hostile_names_are_text(tmp_path):
    events = [{"eventID": f"e{number}", "eventTime": "2024-01-05T12:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "CreateUser",
               "awsRegion": "us-east-1", "recipientAccountId": "111122223333", "requestParameters": {"userName": name}, "sourceIPAddress": name,
               "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/{name}", "userName": name}} for number, name in enumerate(HOSTILE)]
    (tmp_path / "events.json").write_text(json.dumps({"Records": events}))
    run("detector", "scan", tmp_path / "events.json", "--audit", tmp_path / "lake")
    file = tmp_path / "hostile.html"
    run("analytics", "report", "--month", "2024-01", "--audit", tmp_path / "lake", "--format", "html", "--output", file)
    with browser.page() as page:
        page.open(file)
        text = page.ask("document.body.innerText")
        assert all(name in text for name in HOSTILE[:5]) and "\\u{202e}evil" in text
        assert page.ask("document.title") != "run"
        assert page.ask("document.querySelectorAll('img, iframe, object, #injected, a[href], body script:not(:last-of-type)').length") == 0
        assert (page.requests, page.complaints) == ([file.resolve().as_uri()], [])
