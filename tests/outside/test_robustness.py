"""What made other programs that read CloudTrail stumble: the fixes that Suzaku's changelog lists for its release 2.0.0, numbered as
there. Not for us: #159 (Microsoft 365 logs)."""
import csv, gzip, io, json, os

import pytest

from conftest import run

EVENT = {
    "eventVersion": "1.08", "eventTime": "2024-01-05T10:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "AttachUserPolicy",
    "eventID": "11111111-2222-4333-8444-555555555555", "awsRegion": "us-east-1", "recipientAccountId": "111122223333",
    "sourceIPAddress": "203.0.113.9", "userAgent": "aws-cli",
    "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/mallory", "userName": "mallory", "accountId": "111122223333"},
    "requestParameters": {"userName": "bob", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
}
NOT_ALL_READ = 3


def event(number, **changes):
    return {**EVENT, "eventID": f"e-{number}", **changes}


def scan(folder, *events, name="log.jsonl", ok=(0,)):
    """A scan of these events, one to a line."""
    (folder / name).write_text("".join(json.dumps(e) + "\n" for e in events))
    return run("detector", "scan", folder / name, "--audit", folder / "lake", ok=ok)


def rows(folder, columns="*", form="json"):
    sql = f"SELECT {columns} FROM violations WHERE rule_name = 'AdminPolicyAttachment' ORDER BY event_id"
    out = run("analytics", "sql", sql, "--audit", folder / "lake", "--format", form).stdout
    return json.loads(out) if form == "json" else list(csv.reader(io.StringIO(out)))


def test_d16_139_json_lines_of_events_and_of_batches_are_read(tmp_path):
    done = scan(tmp_path, event(1), {"Records": [event(2), event(3)]}, event(4))
    assert "4 judged" in done.stdout, done.stdout
    assert [row["event_id"] for row in rows(tmp_path, "event_id")] == ["e-1", "e-2", "e-3", "e-4"]


def test_d16_145_an_address_that_is_none_spoils_no_other_column(tmp_path):
    scan(tmp_path, event(1, sourceIPAddress="cloudtrail.amazonaws.com"), event(2, sourceIPAddress="AWS Internal"), event(3, sourceIPAddress=""))
    found = rows(tmp_path)
    assert [row["source_ip_address"] or "" for row in found] == ["cloudtrail.amazonaws.com", "AWS Internal", ""]
    for row in found:
        assert (row["event_name"], row["aws_region"], row["principal_name"]) == ("AttachUserPolicy", "us-east-1", "mallory")


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1"])
def test_d16_146_no_cell_of_a_spreadsheet_is_a_formula(tmp_path, start):
    named = {**EVENT["userIdentity"], "userName": start}
    scan(tmp_path, event(1, userAgent=start, userIdentity=named))
    (_, cells) = rows(tmp_path, "user_agent, principal_name", "csv")
    assert len(cells) == 2
    for cell in cells:
        assert cell and cell[0] not in "=+-@\t\r", repr(cell)
    report = run("analytics", "report", "--month", "2024-01", "--audit", tmp_path / "lake", "--format", "csv").stdout
    for line in csv.reader(io.StringIO(report)):
        assert all(not cell or cell[0] not in "=+@\t\r" for cell in line), line


def test_d16_147_a_gzip_bomb_is_passed_by_and_told_and_the_rest_is_read(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    with gzip.open(logs / "bomb.json.gz", "wb", 9) as file:
        for _ in range(300):
            file.write(b" " * (1 << 20))
    (logs / "good.json").write_text(json.dumps(EVENT))
    done = run("detector", "scan", logs, "--audit", tmp_path / "lake", ok=(NOT_ALL_READ,))
    assert "bomb.json.gz" in done.stderr and "inflates to more than" in done.stderr
    assert len(rows(tmp_path, "event_id")) == 1


def test_d16_148_long_names_in_any_script_are_cut_between_characters(tmp_path):
    name = "管理者ポリシー" * 40 + "é" * 7
    named = {**EVENT["userIdentity"], "userName": name, "arn": f"arn:aws:iam::111122223333:user/{name}"}
    done = scan(tmp_path, event(1, userIdentity=named, requestParameters={**EVENT["requestParameters"], "userName": name}))
    assert "管理者" in done.stdout
    assert rows(tmp_path, "principal_name")[0]["principal_name"] == name
    for form in ("text", "markdown", "html"):
        run("analytics", "report", "--month", "2024-01", "--audit", tmp_path / "lake", "--format", form)


def test_d16_149_names_that_are_no_text_and_folders_that_go_round_and_outputs_that_cannot_be_written(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    with open(os.path.join(os.fsencode(logs), b"a-\xff\xfe.json"), "w") as file:
        file.write(json.dumps(EVENT))
    (logs / "round").symlink_to(logs)
    done = run("detector", "scan", logs, "--audit", tmp_path / "lake", ok=(NOT_ALL_READ,))
    assert "round" in done.stderr and "panicked" not in done.stderr
    assert len(rows(tmp_path, "event_id")) == 1, "the file whose name is no text is read"
    done = run("analytics", "report", "--month", "2024-01", "--audit", tmp_path / "lake", "--output", tmp_path / "nowhere/report.txt", ok=(1,))
    assert "nowhere" in done.stderr and "panicked" not in done.stderr


@pytest.mark.parametrize("program, arguments", [
    ("replay", ("--stream", "s", "dead-letters", "--from", "2024-01", "--to", "2024-02-01")),
    ("replay", ("--stream", "s", "dead-letters", "--from", "", "--to", "2024-02-01")),
    ("replay", ("--stream", "s", "dead-letters", "--from", "2024-01-01T00:00:00Z", "--to", "２")),
    ("analytics", ("report", "--month", "2024-1")),
    ("analytics", ("principal", "bob", "--from", "yesterday ")),
    ("analytics", ("principal", "bob", "--last", "é")),
    ("analytics", ("principal", "bob", "--last", "")),
])
def test_d16_150_times_that_cannot_be_read_are_refused_before_anything_is_done(program, arguments):
    done = run(program, *arguments, ok=(2,))
    assert "invalid value" in done.stderr and "panicked" not in done.stderr, done.stderr


def test_d16_160_first_and_last_are_those_of_each_entry(tmp_path):
    at = lambda number, day, address: event(number, eventTime=f"2024-01-{day:02}T10:00:00Z", sourceIPAddress=address)
    scan(tmp_path, at(1, 3, "203.0.113.1"), at(2, 20, "203.0.113.2"), at(3, 10, "203.0.113.3"), at(4, 12, "203.0.113.3"))
    out = run("analytics", "principal", EVENT["userIdentity"]["arn"], "--audit", tmp_path / "lake", "--format", "json").stdout
    spans = {}
    def collect(value):
        if isinstance(value, dict):
            if {"first_seen", "last_seen"} <= set(value):
                for text in value.values():
                    if isinstance(text, str) and text.startswith("203.0.113."):
                        spans[text] = (value["first_seen"][:10], value["last_seen"][:10])
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)
    collect(json.loads(out))
    assert spans == {"203.0.113.1": ("2024-01-03", "2024-01-03"), "203.0.113.2": ("2024-01-20", "2024-01-20"), "203.0.113.3": ("2024-01-10", "2024-01-12")}, out


def test_d16_161_every_file_that_is_not_read_is_named_with_its_reason(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "gone.json").symlink_to(logs / "nowhere.json")
    (logs / "bytes.json").write_bytes(b'{"eventName":"X","eventSource":"s","eventTime":"2024-01-05T10:00:00Z","userAgent":"\xff"}')
    packed = gzip.compress(os.urandom(5000))
    (logs / "cut.json.gz").write_bytes(packed[:2000])
    (logs / "good.json").write_text(json.dumps(EVENT))
    done = run("detector", "scan", logs, "--audit", tmp_path / "lake", ok=(NOT_ALL_READ,))
    for name in ("gone.json", "cut.json.gz"):
        assert name in done.stderr, done.stderr
    letters = [json.loads(path.read_text())["source"]["file"] for path in (tmp_path / "lake/dead-letters").rglob("*.json")]
    assert any(file.endswith("bytes.json") for file in letters) or "bytes.json" in done.stderr
    assert len(rows(tmp_path, "event_id")) == 1


@pytest.mark.parametrize("arguments", [("sql", "SELECT ("), ("sql", "SELECT nothing FROM violations"), ("report", "--month", "2023-07", "--severity", "LOUD")])
def test_d16_162_a_question_that_is_wrong_is_a_clear_error(lake, arguments):
    done = run("analytics", *arguments, "--audit", lake, ok=(1, 2))
    assert done.stderr.strip() and "panicked" not in done.stderr


def test_d16_163_sums_never_run_below_zero_and_nothing_is_no_number(tmp_path):
    done = scan(tmp_path, name="empty.jsonl", ok=(0, NOT_ALL_READ))
    assert "NaN" not in done.stdout + done.stderr and "0 = 0 duplicates + 0 not of interest + 0 judged" in done.stdout
    # One event that many rules name: more violations than events.
    done = scan(tmp_path, event(1, userIdentity={"type": "Root", "arn": "arn:aws:iam::111122223333:root", "accountId": "111122223333"}))
    assert "1 = 0 duplicates + 0 not of interest + 1 judged" in done.stdout, done.stdout
    for form in ("text", "json"):
        out = run("analytics", "report", "--month", "2024-01", "--audit", tmp_path / "lake", "--format", form).stdout
        assert "NaN" not in out and "inf" not in out.split()


def test_what_a_scan_writes_is_not_read_by_it(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps(event(1)) + "\nno JSON\n")
    written = ("--audit", tmp_path / "lake", "--bus", tmp_path / "bus.jsonl")
    done = run("detector", "scan", tmp_path, *written, "--summary", "json", ok=(NOT_ALL_READ,))
    summary = json.loads(done.stdout)
    assert (summary["files"], summary["books"]["records_in"]) == (1, 2), done.stdout
    assert (tmp_path / "bus.jsonl").read_text()
