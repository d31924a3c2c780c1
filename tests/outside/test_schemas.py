"""The rendered files as their readers see them: sqlglot for the DDL, a JSON Schema validator for the bus."""
import json

import jsonschema
import pytest
import sqlglot

from conftest import ROOT, run

GENERATED = ROOT / "schemas/generated"
DDL = sorted((GENERATED / "athena").glob("*.sql"))
QUERIES = sorted(path for folder in ("", "backtest") for path in (ROOT / "analytics/src/queries" / folder).glob("*.sql"))


def parsed(sql, dialect):
    """Statements that the parser understood; text it only passes through does not count."""
    statements = sqlglot.parse(sql, dialect=dialect, error_level=sqlglot.ErrorLevel.RAISE)
    assert statements and all(statement is not None for statement in statements)
    assert not any(isinstance(statement, sqlglot.exp.Command) for statement in statements), "parsed as opaque text only"
    return statements


@pytest.mark.parametrize("path", DDL + QUERIES, ids=lambda path: path.name)
def test_sql_parses_as_athena(path):
    parsed(path.read_text(), "athena")


# CREATE EXTERNAL TABLE is Hive's grammar, which Athena takes for tables only; everything else must be Trino's as well.
@pytest.mark.parametrize("path", [path for path in DDL + QUERIES if "EXTERNAL" not in path.read_text()], ids=lambda path: path.name)
def test_views_and_queries_parse_as_trino(path):
    parsed(path.read_text(), "trino")


def test_the_ddl_that_analytics_prints_parses():
    assert len(parsed(run("analytics", "schema").stdout, "athena")) == len(DDL)


def validator(name):
    schema = json.loads((GENERATED / "bus" / name).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def test_every_bus_event_of_a_scan_is_valid(bus):
    events = [json.loads(line) for line in bus.read_text().splitlines()]
    assert len(events) > 5
    check = validator("violation.schema.json")
    for event in events:
        check.validate(event)
        assert not event["detail"]["violation"]["suppressed"]


def test_an_event_without_its_rule_is_invalid(bus):
    event = json.loads(bus.read_text().splitlines()[0])
    del event["detail"]["violation"]["rule_name"]
    assert list(validator("violation.schema.json").iter_errors(event))


def test_a_status_event_of_the_design_is_valid():
    check = validator("remediation_status.schema.json")
    event = {
        "source": "iam.policy.remediator",
        "detail-type": "IAM Policy Remediation Status",
        "detail": {
            "eventId": "0b3c4f0e-9a53-5d1f-8f5e-0c1d2e3f4a5b", "timestamp": "2024-01-01T12:00:00Z", "correlationId": "a-1",
            "remediation": {"rule_name": "r", "severity": "HIGH", "action": "detach_policy", "status": "DRY_RUN",
                            "description": "d", "details": {}, "error": None},
            "originalViolation": {}, "originalEvent": {}, "originalEventId": "a-1",
        },
    }
    check.validate(event)
    event["detail"]["remediation"]["status"] = "MAYBE"
    assert list(check.iter_errors(event))
