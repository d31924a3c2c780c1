"""The Terraform module, without terraform: what it would create lies rendered in terraform/generated/rendered.json (a hash ties
it to the sources; `make check-terraform` renders it again), and our own policy engine reads the policies in it."""
import json, re, subprocess, sys

import duckdb
import pytest
import sqlglot
import yaml

from conftest import BIN, ROOT, objects, run

MODULE = ROOT / "terraform"
RENDERED = json.loads((MODULE / "generated/rendered.json").read_text())
VARIANTS = RENDERED["variants"]
EVERYTHING = VARIANTS["everything"]
ACCOUNT = "123456789012"

# Methods of privilege escalation that a role is known to open, and why it must. Everything else is a fault.
READS_MEMBERS = "assumes the read role of every account of the organization, which may read policies and nothing else"
REPAIRS = "a repair needs it; trust in one role, a boundary, one permission for each allowed repair and the remediator's guard hold it"
ESCALATION_WITH_REASON = {
    "iam-policy-monitor-detector": {"sts-001": READS_MEMBERS},
    "iam-policy-monitor-remediator": {"sts-001": "assumes the remediation role, only when deployed and only in this organization"},
    "iam-policy-monitor-own-repairs": {"iam-012": "with remediation.own_account: " + REPAIRS, "rhino-02": "with remediation.own_account: " + REPAIRS},
    "Remediate": {"iam-012": REPAIRS, "rhino-02": REPAIRS},
}


def listed(value):
    return value if isinstance(value, list) else [value]


def statements(policy):
    return listed(policy["Statement"])


def ask(questions):
    """Answers of our policy engine, in order."""
    text = "\n".join(json.dumps(question) for question in questions)
    done = subprocess.run([BIN / "detector", "policy"], input=text, capture_output=True, text=True, cwd=ROOT)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(answers) == len(questions) and not any("error" in a for a in answers), done.stdout + done.stderr
    return answers


class Template(yaml.SafeLoader):
    """CloudFormation's short forms, with every condition true and every parameter a plausible text."""


def substituted(text):
    return re.sub(r"\$\{(\w|:)+\}", lambda m: {"${AWS::AccountId}": ACCOUNT, "${AWS::Partition}": "aws"}.get(m.group(), f"iam-policy-monitor-{m.group()[2:-1].lower()}"), text)


def short_form(loader, suffix, node):
    if suffix == "If":
        return loader.construct_sequence(node, deep=True)[1]
    if suffix == "Sub":
        return substituted(node.value)
    if isinstance(node, yaml.ScalarNode):
        arns = {"DetectorRoleArn": "detector", "RemediatorRoleArn": "remediator"}
        return f"arn:aws:iam::{ACCOUNT}:role/iam-policy-monitor-{arns[node.value]}" if node.value in arns else f"<{node.value}>"
    return loader.construct_sequence(node, deep=True)


Template.add_multi_constructor("!", short_form)
MEMBER = yaml.load((MODULE / "templates/member-roles.yaml").read_text(), Template)["Resources"]


def roles():
    """Name and whole identity policy of every role, in the module and in member accounts."""
    for variant in VARIANTS.values():
        yield from variant["policies"].items()
    for name, resource in MEMBER.items():
        if resource["Type"] == "AWS::IAM::Role":
            found = [s for policy in resource["Properties"]["Policies"] for s in statements(policy["PolicyDocument"])]
            yield name, {"Version": "2012-10-17", "Statement": found}


def test_the_rendered_file_belongs_to_these_sources():
    told = subprocess.run([sys.executable, ROOT / "tools/render-terraform.py", "--hash"], capture_output=True, text=True, check=True).stdout.strip()
    assert told == RENDERED["source_sha256"], "terraform/generated/rendered.json is stale: run tools/render-terraform.py"


def test_d5_every_safety_setting_of_the_stream_mapping_is_set():
    mapping = EVERYTHING["resources"]["aws_lambda_event_source_mapping.detector"]
    retention = EVERYTHING["resources"]["aws_kinesis_stream.this[0]"]["retention_period"] * 3600
    assert mapping["bisect_batch_on_function_error"] is True
    assert mapping["function_response_types"] == ["ReportBatchItemFailures"]
    assert 0 < mapping["maximum_retry_attempts"] <= 10_000
    assert 60 <= mapping["maximum_record_age_in_seconds"] < retention
    assert mapping["destination_config"][0]["on_failure"][0]["destination_arn"].startswith("arn:aws:s3:::")
    assert mapping["parallelization_factor"] >= 1 and mapping["maximum_batching_window_in_seconds"] >= 0
    assert mapping["starting_position"] == "TRIM_HORIZON"


def test_every_target_has_a_retry_limit_and_a_dead_letter_queue_and_every_queue_outlasts_its_function():
    found = EVERYTHING["resources"]
    targets = {a: r for a, r in found.items() if ".aws_cloudwatch_event_target." in f".{a}"}
    behind_the_bus = set(EVERYTHING["environment"]) - {"detector", "compactor"}
    assert len(targets) == len(behind_the_bus) + 3  # two into the stream; the tick
    for address, target in targets.items():
        assert target["retry_policy"][0]["maximum_retry_attempts"] >= 1 and target["dead_letter_config"], address
    for address, queue in found.items():
        if ".aws_sqs_queue." in f".{address}":
            assert queue["message_retention_seconds"] == 14 * 86400, address
        if address.startswith("module.route") and ".aws_sqs_queue.this" in address:
            assert queue["visibility_timeout_seconds"] >= 6 * 60, address
        if address.startswith("module.route") and "event_source_mapping" in address:
            assert queue["function_response_types"] == ["ReportBatchItemFailures"] and queue["scaling_config"], address


def settings():
    """Name and programs of every variable that the programs read, from the source that declares them."""
    source = (ROOT / "stream/src/settings.rs").read_text()
    table = source.split("pub const SETTINGS", 1)[1].split("\n];", 1)[0]
    found = {name: programs for name, programs in re.findall(r'setting\(\s*"(\w+)",\s*"[^"]*",\s*"([^"]*)"', table)}
    table = (ROOT / "remediation/src/settings.rs").read_text().split("pub const SETTINGS", 1)[1].split("\n];", 1)[0]
    return found | {name: "remediator" for name in re.findall(r'\(\s*"([A-Z_]+)",', table)}


# Lambdas always use AWS; snapshots lie in the lake, where Object Lock can keep them.
NOT_SET = {"USE_REAL_AWS", "SNAPSHOT_BUCKET"}
# Read by more programs than the list names: where the other settings of these programs lie.
ALSO_READ = {"slack_handler": {"RULES_BUCKET", "CONFIG_REFRESH_SECONDS"}, "remediator": {"RULES_BUCKET"}}


def test_the_environment_that_terraform_sets_is_the_one_that_the_programs_read():
    declared = settings()
    assert len(declared) > 20
    set_by_terraform = {name for environment in EVERYTHING["environment"].values() for name in environment}
    assert set_by_terraform == set(declared) - NOT_SET
    handlers = {"sns_publisher", "slack_handler", "metrics_publisher", "audit_logger"}
    for variant in VARIANTS.values():
        for program, environment in variant["environment"].items():
            words = {program, "all"} | ({"handlers"} if program in handlers else set())
            read = {name for name, programs in declared.items() if words & set(re.split(r"[,\s]+", programs))} | ALSO_READ.get(program, set())
            assert set(environment) <= read, program
            assert all(environment.values()), program


def test_remediation_is_off_at_three_places():
    assert "remediator" not in VARIANTS["defaults"]["environment"]
    deployed = VARIANTS["deployed"]["environment"]["remediator"]
    assert (deployed["ENABLE_REMEDIATION"], deployed["DRY_RUN"]) == ("false", "true")
    assert json.loads((ROOT / "config/remediator-config.json").read_text())["dry_run"] is True


def test_no_role_has_every_action_and_every_star_resource_is_named_with_its_reason():
    for name, policy in roles():
        for statement in statements(policy):
            assert "NotAction" not in statement and "NotResource" not in statement, name
            for action in listed(statement["Action"]) if statement["Effect"] == "Allow" else []:
                assert "*" not in action, f"{name} may {action}"
            if "*" in listed(statement["Resource"]):
                assert EVERYTHING["star_resources"].get(statement["Sid"]), f"{name}: {statement}"


def test_in_a_dry_run_the_remediator_cannot_write_to_iam():
    writes = ["iam:DetachRolePolicy", "iam:PutRolePolicy", "iam:CreateRole", "iam:UpdateAssumeRolePolicy", "iam:SetDefaultPolicyVersion"]
    policies = VARIANTS["dry_run"]["policies"]
    for answer in ask([{"policy": policies[f"iam-policy-monitor-{role}"], "probe": writes} for role in ("remediator", "own-repairs")]):
        assert not any(grant["may"] for grant in answer["grants"].values())


def test_in_the_own_account_it_repairs_only_if_asked_by_a_role_that_may_what_members_allow_and_never_touch_our_roles():
    assert "iam-policy-monitor-own-repairs" not in VARIANTS["deployed"]["policies"]
    own = EVERYTHING["policies"]["iam-policy-monitor-remediator"]
    assert not any(action.startswith("iam:") for s in statements(own) for action in listed(s["Action"])), "sessions of a role, never its own rights"
    policy = EVERYTHING["policies"]["iam-policy-monitor-own-repairs"]
    shape = lambda s, account: (s["Sid"], sorted(listed(s["Action"])), sorted(r.replace(account, "ACCOUNT") for r in listed(s["Resource"])))
    member = [shape(s, ACCOUNT) for s in MEMBER["Remediate"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]]
    here = [shape(s, ACCOUNT) for s in statements(policy) if s["Effect"] == "Allow" and any(a.startswith("iam:") for a in listed(s["Action"]))]
    assert sorted(here) == sorted(member) and len(here) > 10
    own = f"arn:aws:iam::{ACCOUNT}:role/iam-policy-monitor-detector"
    questions = [{"policy": policy, "action": a, "resource": own, "context": {}} for a in ("iam:DetachRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:PutRolePermissionsBoundary")]
    assert {answer["decision"] for answer in ask(questions)} == {"explicit_deny"}


def test_the_remediation_role_may_look_at_what_the_remediator_looks_at_and_nothing_else():
    source = (ROOT / "remediation/src/look.rs").read_text()
    called = {"iam:" + "".join(word.title() for word in call.split("_")) for call in re.findall(r"\.((?:get|list)_[a-z_]+)\(\)", source)}
    (look,) = [s for s in MEMBER["Remediate"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"] if s["Sid"] == "Look"]
    assert set(look["Action"]) == called


def test_our_own_engine_finds_no_escalation_in_any_role_but_those_with_a_reason():
    found = list(roles())
    assert len(found) > 20
    opened = {}
    for (name, policy), answer in zip(found, ask([{"policy": policy} for _, policy in found])):
        assert not answer["full_admin"] and not answer["wildcard_service"] and not answer["malformed"], name
        opened[name] = opened.get(name, set()) | set(answer["privilege_escalation"]["may"])
    assert {name: methods for name, methods in opened.items() if methods} == {name: set(why) for name, why in ESCALATION_WITH_REASON.items()}


def test_a_role_that_writes_its_own_policy_would_be_found():
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": "*"}]}
    assert ask([{"policy": policy}])[0]["privilege_escalation"]["may"]


def kind(address):
    for word, kind in (("aws_s3_bucket_policy", "s3"), ("aws_sqs_queue_policy", "sqs"), ("aws_sns_topic_policy", "sns"), ("aws_iam_role", "trust")):
        if word in address:
            return kind
    return None


def test_no_bucket_queue_topic_or_role_is_open_to_strangers():
    asked = [(a, p) for v in ("everything", "logs") for a, p in VARIANTS[v]["resource_policies"].items() if kind(a)]
    assert len(asked) > 30
    for (address, _), answer in zip(asked, ask([{"policy": p, "kind": kind(a), "account": ACCOUNT} for a, p in asked])):
        assert not answer["public"] and not answer["cross_account"] and not answer["malformed"], f"{address}: {answer}"


def may_write(program, keys):
    """Whether the role of a program may create and read back each object of the lake."""
    policy = EVERYTHING["policies"][f"iam-policy-monitor-{program.replace('_', '-')}"]
    bucket = EVERYTHING["environment"][program]["AUDIT_BUCKET"]
    asked = [(key, action) for key in keys for action in ("s3:PutObject", "s3:GetObject")]
    answers = ask([{"policy": policy, "action": action, "resource": f"arn:aws:s3:::{bucket}/{key}", "context": {}} for key, action in asked])
    return [key for (key, _), answer in zip(asked, answers) if answer["decision"] != "allow"]


def test_the_detector_may_write_every_object_that_a_scan_writes_and_no_repair(lake):
    keys = [key for key in objects(lake) if not key.startswith(".")]
    keys += ["config/last-good/rules.yaml", "dead-letters/undated/x.json", "iam_events/year=2024/month=01/day=05/x.parquet"]
    assert any(key.startswith("violations/") for key in keys) and may_write("detector", keys) == []
    assert set(may_write("detector", ["remediation_logs/x", "snapshots/x.json", "claims/repairs/x/done.json"])) == {
        "remediation_logs/x", "snapshots/x.json", "claims/repairs/x/done.json"}


HANDLERS = {"sns_publisher": "sns", "slack_handler": "slack", "metrics_publisher": "points", "audit_logger": "audit"}


@pytest.mark.parametrize("program", HANDLERS)
def test_a_handler_may_write_every_folder_that_its_source_names(program):
    files = sorted((ROOT / "stream/src/notify").glob(f"{HANDLERS[program]}*.rs")) + sorted((ROOT / f"stream/src/notify/{HANDLERS[program]}").glob("*.rs"))
    source = "\n".join(file.read_text().split("#[cfg(test)]")[0] for file in files)
    folders = set(re.findall(r'"((?:claims|dimensions|audit-oversize)/[a-z-]*)', source))
    folders |= {f"claims/{what}" for what in re.findall(r'(?:\.claim|take_slot|take_place)\(\s*"([\w/-]+)"', source)}
    keys = [f"{folder}/x" for folder in folders] + [f"claims/{program}/x/done.json", "dead-letters/2024-01-01/x.json"]
    assert f'"{program}"' in source and may_write(program, [key.replace("//", "/") for key in keys]) == []


def test_the_remediator_may_write_every_folder_that_its_source_names():
    source = "\n".join(file.read_text().split("#[cfg(test)]")[0] for file in sorted((ROOT / "remediation/src").glob("*.rs")))
    folders = set(re.findall(r'"([a-z]+)/[a-z]*/?\{', source))
    assert {"snapshots", "breaker", "baselines", "claims"} <= folders
    assert may_write("remediator", [f"{folder}/x.json" for folder in folders] + ["remediation_logs/year=2024/x.parquet", "dead-letters/x.json"]) == []


def test_member_roles_trust_one_role_with_an_external_id():
    trusts = {n: MEMBER[n]["Properties"]["AssumeRolePolicyDocument"] for n in ("Read", "Remediate")}
    for (name, trust), answer in zip(trusts.items(), ask([{"policy": t, "kind": "trust", "account": "111122223333"} for t in trusts.values()])):
        assert answer["cross_account"] == [ACCOUNT] and not answer["public"] and not answer["external_id_missing"], f"{name}: {answer}"
        assert set(statements(trust)[0]["Condition"]["StringEquals"]) == {"aws:PrincipalArn", "aws:PrincipalOrgID", "sts:ExternalId"}


def test_the_boundary_of_the_remediation_role_covers_its_repairs_and_forbids_its_own_change():
    boundary = MEMBER["Boundary"]["Properties"]["PolicyDocument"]
    repairs = [s for s in MEMBER["Remediate"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]]
    actions = sorted({action for s in repairs for action in listed(s["Action"])})
    own = f"arn:aws:iam::{ACCOUNT}:role/iam-policy-monitor-remediationname"
    other = f"arn:aws:iam::{ACCOUNT}:role/someone"
    decide = lambda action, resource: {"policy": boundary, "action": action, "resource": resource, "context": {}}
    assert {a["decision"] for a in ask([decide(action, other) for action in actions])} == {"allow"}
    writes = [action for action in actions if not re.match(r"iam:(Get|List)", action)]
    assert len(writes) > 10
    assert {a["decision"] for a in ask([decide(action, own) for action in writes])} == {"explicit_deny"}


def test_glue_columns_are_read_from_schemas_and_not_typed():
    source = (MODULE / "glue.tf").read_text()
    assert '"${path.module}/../schemas/generated"' in source and "${local.generated}/glue/" in source and "${local.generated}/athena/" in source
    for table in (ROOT / "schemas/generated/glue").glob("*.json"):
        for column in json.loads(table.read_text())["columns"]:
            assert f'"{column["name"]}"' not in source


def test_every_type_of_a_column_has_a_type_in_views():
    source = (MODULE / "glue.tf").read_text()
    known = set(re.findall(r"(\w+) = ", re.search(r"view_types += \{(.*)\}", source).group(1)))
    used = {c["type"] for t in (ROOT / "schemas/generated/glue").glob("*.json") for c in json.loads(t.read_text())["columns"]}
    assert used <= known


def as_terraform_writes_it(name):
    """The statement of a view: the generated file without its first line, as glue.tf cuts it."""
    pattern = re.search(r'"/(\^CREATE OR REPLACE VIEW .*?)/"', (MODULE / "glue.tf").read_text()).group(1).replace("\\\\", "\\")
    return re.sub(pattern, "", (ROOT / f"schemas/generated/athena/{name}.sql").read_text()).strip()


@pytest.fixture(scope="module")
def athena(lake):
    """DuckDB in Athena's place: base tables with exactly the columns of Glue over the lake of the scan, views as Terraform writes them."""
    db = duckdb.connect()
    duck = {"string": "VARCHAR", "timestamp": "TIMESTAMP", "boolean": "BOOLEAN", "int": "INTEGER", "bigint": "BIGINT"}
    for path in sorted((ROOT / "schemas/generated/glue").glob("*.json")):
        table = json.loads(path.read_text())
        names = table["columns"] + table["partition_keys"]
        columns = ", ".join(f'CAST("{c["name"]}" AS {duck[c["type"]]}) AS "{c["name"]}"' for c in names)
        if (lake / table["folder"]).is_dir():
            files = f"read_parquet('{lake}/{table['folder']}/*/*/*/*.parquet', hive_partitioning = true, hive_types_autocast = false, filename = '$path')"
            db.execute(f'CREATE VIEW {table["name"]} AS SELECT {columns}, "$path" FROM {files}')
        else:
            empty = ", ".join(f'CAST(NULL AS {duck[c["type"]]}) AS "{c["name"]}"' for c in names)
            db.execute(f"CREATE VIEW {table['name']} AS SELECT {empty}, NULL AS \"$path\" WHERE false")
    for path in sorted((ROOT / "schemas/generated/glue").glob("*_raw.json")):
        name = path.stem.removesuffix("_raw")
        db.execute(f"CREATE VIEW {name} AS {as_terraform_writes_it(name)}")
    for path in further_views():
        (statement,) = sqlglot.parse(as_terraform_writes_it(path.stem), dialect="athena")
        db.execute(f"CREATE VIEW {path.stem} AS {statement.sql(dialect='duckdb')}")
    return db


def further_views():
    return sorted((ROOT / "schemas/generated/views").glob("*.json"))


def test_the_views_accept_the_lake_and_have_the_columns_that_glue_is_told(athena):
    assert athena.execute("SELECT count(*) FROM violations").fetchone()[0] > 5
    for path in (ROOT / "schemas/generated/glue").glob("*_raw.json"):
        table = json.loads(path.read_text())
        seen = [row[0] for row in athena.execute(f"DESCRIBE {path.stem.removesuffix('_raw')}").fetchall()]
        assert seen == [c["name"] for c in table["columns"] + table["partition_keys"]]
    for path in further_views():
        seen = [row[0] for row in athena.execute(f"DESCRIBE {path.stem}").fetchall()]
        assert seen == [c["name"] for c in json.loads(path.read_text())["columns"]]
        athena.execute(f"SELECT * FROM {path.stem}").fetchall()


@pytest.mark.parametrize("path", sorted((MODULE / "queries").glob("*.sql")), ids=lambda path: path.name)
def test_named_queries_run_on_the_views(athena, path):
    text = path.read_text()
    assert text.startswith("-- ") and len(text.splitlines()[0]) < 130
    (statement,) = sqlglot.parse(text, dialect="athena")
    athena.execute(statement.sql(dialect="duckdb")).fetchall()


def test_the_two_queries_of_the_design_are_among_the_named_queries():
    named = {" ".join("".join(p.read_text().splitlines(keepends=True)[1:]).split()) for p in (MODULE / "queries").glob("*.sql")}
    assert any(q.startswith("SELECT rule_name, severity, COUNT(*) AS violation_count FROM violations WHERE year = '2024' AND month = '01' GROUP BY") for q in named)
    assert any(q.startswith("SELECT remediation_action, COUNT(*) AS total_attempts, SUM(CASE WHEN success = true") for q in named)


def matches(pattern, event):
    """EventBridge's matching, as far as the patterns of the module use it."""
    for key, wanted in pattern.items():
        if key == "$or":
            if not any(matches(part, event) for part in wanted):
                return False
        elif isinstance(wanted, dict):
            if not matches(wanted, event.get(key) or {}):
                return False
        elif not any(fits(want, key in event, event.get(key)) for want in wanted):
            return False
    return True


def fits(want, present, value):
    if isinstance(want, dict):
        if "exists" in want:
            return present == want["exists"]
        if "anything-but" in want:
            return present and value not in want["anything-but"]
        return present and str(value).startswith(want["prefix"])
    return present and value == want and type(value) is type(want)


def pattern_of(program):
    return EVERYTHING["resources"][f'module.route["{program}"].aws_cloudwatch_event_rule.this']["event_pattern"]


def test_what_the_detector_puts_on_the_bus_reaches_every_handler_and_repairs_alone_the_remediator(bus):
    entries = [json.loads(line) for line in bus.read_text().splitlines()]
    assert entries
    for entry in entries:
        for program in ("sns_publisher", "slack_handler", "metrics_publisher", "audit_logger"):
            assert matches(pattern_of(program), entry), program
        assert matches(pattern_of("remediator"), entry) == (entry["detail"]["violation"]["action"] == "remediate")
    rejected = {"source": "iam.policy.monitor", "detail-type": "IAM Policy Configuration Rejected", "detail": {"files": []}}
    assert all(matches(pattern_of(program), rejected) for program in ("sns_publisher", "slack_handler", "audit_logger"))
    status = {"source": "iam.policy.remediator", "detail-type": "IAM Policy Remediation Status", "detail": {}}
    assert matches(pattern_of("sns_publisher"), status) and not matches(pattern_of("remediator"), status)


@pytest.mark.parametrize("detail, expected", [
    ({"eventName": "PutRolePolicy", "readOnly": False}, True),
    ({"eventName": "ConsoleLogin"}, True),
    ({"eventName": "AssumeRoot", "readOnly": True}, True),
    ({"eventName": "ListRoles", "readOnly": True}, False),
])
def test_what_changes_something_goes_into_the_stream(detail, expected):
    event = {"detail-type": "AWS API Call via CloudTrail", "detail": detail}
    ingest = [r["event_pattern"] for a, r in EVERYTHING["resources"].items() if a.startswith("aws_cloudwatch_event_rule.ingest")]
    assert len(ingest) == 2 and all(matches(pattern, event) == expected for pattern in ingest)
    assert matches(MEMBER["Forward"]["Properties"]["EventPattern"], event) == expected


def test_every_alarm_has_a_runbook_and_every_own_metric_is_one_that_a_program_publishes():
    readme = (MODULE / "README.md").read_text()
    source = "\n".join(p.read_text() for crate in ("stream", "remediation") for p in sorted((ROOT / crate).glob("src/**/*.rs")))
    # The breaker is told by its log line, which a filter counts.
    filters = (MODULE / "remediation.tf").read_text()
    assert "circuit breaker opened" in source
    alarms = [r for r in EVERYTHING["resources"].values() if "alarm_description" in r]
    assert len(alarms) > 50
    for alarm in alarms:
        runbook = re.search(r"Runbook: ([\w-]+)\.$", alarm["alarm_description"]).group(1)
        assert f"\n### {runbook}\n" in readme, runbook
        metrics = [m["metric"][0] for m in alarm.get("metric_query", []) if m["metric"]] or [alarm]
        for metric in metrics:
            if metric["namespace"] == "IAMPolicyMonitor":
                assert f'"{metric["metric_name"]}"' in source + filters, metric["metric_name"]


def alarm_on(name):
    return EVERYTHING["resources"][f'module.alarms.aws_cloudwatch_metric_alarm.this["{name}"]']


def test_silence_alarms_after_an_hour_and_the_canary_does_not_break_it():
    quiet = alarm_on("quiet")
    queries = {query["id"]: query for query in quiet["metric_query"]}
    assert queries["rest"]["expression"] == "FILL(m1, 0) - FILL(m2, 0)" and queries["rest"]["return_data"]
    assert [queries[id]["metric"][0]["metric_name"] for id in ("m1", "m2")] == ["RecordsIn", "Canaries"]
    assert quiet["evaluation_periods"] * queries["m1"]["metric"][0]["period"] == 3600
    assert (quiet["treat_missing_data"], quiet["comparison_operator"], quiet["threshold"]) == ("breaching", "LessThanThreshold", 1)


def canary(scheduled="2026-01-05T12:00:00Z"):
    """The record as Scheduler puts it into the stream."""
    return EVERYTHING["resources"]['aws_scheduler_schedule.this["canary"]']["target"][0]["input"].replace("<aws.scheduler.scheduled-time>", scheduled)


def judged(record, folder):
    """What the detector puts on the bus for a record."""
    folder.mkdir()
    (folder / "event.json").write_text(record)
    verdict = json.loads(run("detector", "--event", folder / "event.json", "--format", "json", ok=(0, 4)).stdout)
    assert [violation["rule_name"] for violation in verdict["violations"]] == ["Canary"], verdict
    run("detector", "scan", folder / "event.json", "--audit", folder / "lake", "--bus", folder / "bus.jsonl")
    return [json.loads(line) for line in (folder / "bus.jsonl").read_text().splitlines()]


def test_the_canary_breaks_its_own_rule_and_no_other_and_each_one_is_another_violation(tmp_path):
    (first,), (second,) = judged(canary(), tmp_path / "first"), judged(canary("2026-01-05T12:30:00Z"), tmp_path / "second")
    (again,) = judged(canary(), tmp_path / "again")
    violation = first["detail"]["violation"]
    assert (violation["rule_name"], violation["action"], violation["event_time"]) == ("Canary", "alert", "2026-01-05T12:00:00Z")
    assert first["detail"]["eventId"] == again["detail"]["eventId"] != second["detail"]["eventId"]


def test_the_canary_is_counted_and_kept_and_told_to_nobody(tmp_path):
    (entry,) = judged(canary(), tmp_path / "canary")
    assert [matches(pattern_of(program), entry) for program in ("metrics_publisher", "audit_logger")] == [True, True]
    assert [matches(pattern_of(program), entry) for program in ("sns_publisher", "slack_handler", "remediator")] == [False, False, False]


def test_metrics_publisher_counts_the_canary_where_its_alarm_looks(tmp_path):
    (entry,) = judged(canary(), tmp_path / "canary")
    (tmp_path / "entry.json").write_text(json.dumps(entry))
    told = subprocess.run([BIN / "metrics_publisher", "--event", tmp_path / "entry.json"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    alarm = alarm_on("canary")
    by = " ".join(f"{name}={value}" for name, value in sorted(alarm["dimensions"].items(), reverse=True))
    counted = [" ".join(line.split()) for line in told.splitlines()]
    assert f"{alarm['metric_name']} {by} 1" in counted, told
    # Two in a row stay away, and nothing at all is bad news.
    assert (alarm["treat_missing_data"], alarm["comparison_operator"], alarm["threshold"], alarm["evaluation_periods"]) == ("breaching", "LessThanThreshold", 1, 2)
    schedule = EVERYTHING["resources"]['aws_scheduler_schedule.this["canary"]']["schedule_expression"]
    assert schedule == f"rate({alarm['period'] // 60} minutes)"


def test_the_compactor_may_change_the_tables_that_have_a_view_and_nothing_else():
    tables = {json.loads(p.read_text())["folder"] for p in (ROOT / "schemas/generated/glue").glob("*_raw.json")}
    assert may_write("compactor", [f"{folder}/year=2024/x.parquet" for folder in tables | {"compaction"}]) == []
    others = ["audit_log/x.parquet", "snapshots/x.json", "claims/x/done.json", "dead-letters/x.json", "config/last-good/rules.yaml"]
    assert set(may_write("compactor", others)) == set(others)


def test_the_tables_of_inputs_and_outputs_in_the_readme_are_generated():
    told = subprocess.run([sys.executable, ROOT / "tools/terraform-tables.py", "--check"], capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr
