"""Bad input gets a clear message and an exit code, and the good input beside it is still read."""
import gzip, json, os, random

import pytest

from conftest import SAMPLE, run

NOT_ALL_READ = 3
GOOD = {
    "eventVersion": "1.08", "eventTime": "2024-01-05T10:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "AttachUserPolicy",
    "eventID": "11111111-2222-4333-8444-555555555555", "awsRegion": "us-east-1", "recipientAccountId": "111122223333",
    "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/mallory", "userName": "mallory", "accountId": "111122223333"},
    "requestParameters": {"userName": "bob", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
}
GOOD_LINE = json.dumps(GOOD) + "\n"


def truncated_gzip(folder):
    packed = gzip.compress((GOOD_LINE + "".join(json.dumps({**GOOD, "eventName": "X", "n": random.random()}) + "\n" for _ in range(9000))).encode())
    (folder / "bad.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    return "cut off"


def truncated_records_file(folder):
    (folder / "bad.json").write_text('{"Records":[' + GOOD_LINE.strip().replace("11111111", "99999999") + "," + GOOD_LINE[:200])
    return "bad.json"


def bomb(folder):
    with gzip.open(folder / "bad.json.gz", "wb", 9) as file:
        for _ in range(300):
            file.write(b" " * (1 << 20))
    return "inflates to more than"


def rubbish(folder):
    (folder / "bad.json").write_bytes(bytes(random.Random(1).randbytes(300_000)))
    return "bad.json"


def long_line(folder):
    (folder / "bad.jsonl").write_text(GOOD_LINE.replace("11111111", "77777777") + '{"a":"' + "x" * 20_000_000 + '"}\n' + GOOD_LINE.replace("11111111", "88888888"))
    return "bad.jsonl"


def dangling_link(folder):
    (folder / "bad.json").symlink_to(folder / "nowhere.json")
    return "bad.json"




CASES = [truncated_gzip, truncated_records_file, bomb, rubbish, long_line, dangling_link]


@pytest.mark.parametrize("spoil", CASES, ids=lambda case: case.__name__)
def test_the_rest_of_the_input_is_still_read(tmp_path, spoil):
    logs, lake = tmp_path / "logs", tmp_path / "lake"
    logs.mkdir()
    said = spoil(logs)
    (logs / "good.jsonl").write_text(GOOD_LINE)
    done = run("detector", "scan", logs, "--audit", lake, ok=(NOT_ALL_READ,))
    assert said in done.stderr, done.stderr
    found = json.loads(run("analytics", "sql", "SELECT event_id FROM violations WHERE rule_name = 'AdminPolicyAttachment'",
                           "--audit", lake, "--format", "json").stdout)
    assert GOOD["eventID"] in {row["event_id"] for row in found}
    if spoil is long_line:
        assert len(found) == 3, "the lines before and after the long one are read"


def test_what_could_not_be_read_is_a_dead_letter_with_its_reason_and_place(tmp_path):
    (tmp_path / "a.jsonl").write_text(GOOD_LINE + "{not json}\n" + GOOD_LINE.replace("11111111", "22222222"))
    run("detector", "scan", tmp_path / "a.jsonl", "--audit", tmp_path / "lake", ok=(NOT_ALL_READ,))
    letters = [json.loads(path.read_text()) for path in (tmp_path / "lake/dead-letters").rglob("*.json")]
    assert len(letters) == 1
    assert letters[0]["lastErrorCode"] and letters[0]["lastErrorMessage"]
    assert letters[0]["source"]["offset"] == len(GOOD_LINE) and letters[0]["source"]["file"].endswith("a.jsonl")


def test_an_empty_folder_and_a_missing_path_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    done = run("detector", "scan", tmp_path / "empty", tmp_path / "missing", "--audit", tmp_path / "lake", ok=(NOT_ALL_READ,))
    assert "empty" in done.stderr and "missing" in done.stderr and "no such file" in done.stderr


def test_a_lake_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    done = run("detector", "scan", SAMPLE, "--audit", tmp_path / "file", ok=(1,))
    assert "file" in done.stderr


@pytest.mark.parametrize("month, said", [("2024-13", "2024-13"), ("2024", "2024"), ("January", "January")])
def test_a_month_that_does_not_exist_is_a_usage_error(lake, month, said):
    done = run("analytics", "report", "--month", month, "--audit", lake, ok=(2,))
    assert said in done.stderr


def test_a_lake_without_that_month_says_which_months_it_has(lake):
    done = run("analytics", "report", "--month", "2019-02", "--audit", lake, ok=(3,))
    assert "2023-07" in done.stderr + done.stdout


def test_a_lake_that_is_not_there_is_named(tmp_path):
    done = run("analytics", "report", "--month", "2024-01", "--audit", tmp_path / "nowhere", ok=(1,))
    assert "nowhere" in done.stderr


@pytest.mark.parametrize("wrong", [("scan",), ("scan", "--audit"), ("--no-such-flag",), ("frobnicate",)])
def test_a_wrong_command_line_is_a_usage_error(wrong):
    done = run("detector", *wrong, ok=(2,))
    assert "--help" in done.stderr


def test_every_fault_of_the_config_files_is_told_in_one_pass(tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules:\n  - name: a\n    description: d\n    severity: HIHG\n    action: alert\n    conditions: {event_names: []}\n"
                     "  - name: a\n    description: d\n    severity: HIGH\n    action: alert\n    colour: red\n    conditions: {event_names: [PutUserPolicy]}\n")
    done = run("detector", "check", "--rules", rules, ok=(2,))
    said = done.stdout + done.stderr
    for line in (4, 6, 7, 11):
        assert f"rules.yaml:{line}" in said, said
    before = os.listdir(tmp_path)
    done = run("detector", "scan", SAMPLE, "--audit", tmp_path / "lake", "--rules", rules, ok=(2,))
    assert os.listdir(tmp_path) == before, "nothing is scanned with faulty rules"
