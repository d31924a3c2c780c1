#!/usr/bin/env python3
"""Writes terraform/generated/rendered.json: what the module would create, as far as reviewers and tests ask for it: policies,
environment variables, event patterns, mappings. Needs terraform, its provider, and credentials only if the provider asks
for any. With --check compares instead of writing. The file carries a hash of its sources, so a stale one is noticed without terraform.
"""
import hashlib, json, os, pathlib, shutil, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODULE = ROOT / "terraform"
RENDERED = MODULE / "generated" / "rendered.json"
SUBSCRIBED = [{"topic": "alerts", "endpoint": "security@example.com"}, {"topic": "priority", "endpoint": "pager@example.com"}]
ORGANIZATION = {"enabled": True, "id": "o-exampleorgid", "unit_ids": ["r-exam"], "external_id": "sixteen-characters", "remediation_roles": True}
ACTIONS = ["detach_policy", "delete_policy", "delete_inline_policy", "quarantine_policy", "revert_policy_version", "restore_trust_policy",
           "restore_boundary", "deactivate_access_key", "remove_from_group"]
VARIANTS = {
    "defaults": {},
    "deployed": {"subscriptions": SUBSCRIBED, "remediation": {"deployed": True}},
    "dry_run": {"subscriptions": SUBSCRIBED, "organization": ORGANIZATION,
                "remediation": {"deployed": True, "enabled": True, "own_account": True, "allowed_actions": ACTIONS}},
    "everything": {
        "subscriptions": SUBSCRIBED,
        "organization": ORGANIZATION,
        "notifications": {"slack": {"enabled": True}},
        "remediation": {"deployed": True, "enabled": True, "dry_run": False, "own_account": True, "allowed_actions": ACTIONS},
    },
    "logs": {"ingestion": {"mode": "logs_subscription", "log_group_name": "trail", "log_source_account_ids": ["111122223333"]},
             "lake": {"audit_log_sink": "direct"}},
}
# Type of a resource: the attributes that hold policies, and those that tests ask for.
POLICIES = {"aws_s3_bucket_policy": "policy", "aws_sqs_queue_policy": "policy", "aws_sns_topic_policy": "policy", "aws_iam_role": "assume_role_policy",
            "aws_cloudwatch_event_bus_policy": "policy", "aws_cloudwatch_log_destination_policy": "access_policy"}
MAPPING = ["batch_size", "bisect_batch_on_function_error", "destination_config", "function_response_types", "maximum_batching_window_in_seconds",
           "maximum_record_age_in_seconds", "maximum_retry_attempts", "parallelization_factor", "scaling_config", "starting_position"]
VALUES = {"aws_cloudwatch_event_rule": ["event_pattern", "state", "event_bus_name"], "aws_lambda_event_source_mapping": MAPPING,
          "aws_cloudwatch_event_target": ["retry_policy", "dead_letter_config"], "aws_kinesis_stream": ["retention_period", "encryption_type"],
          "aws_scheduler_schedule": ["schedule_expression", "target"],
          "aws_cloudwatch_metric_alarm": ["alarm_description", "comparison_operator", "dimensions", "evaluation_periods", "metric_name", "metric_query", "namespace",
                                          "period", "threshold", "treat_missing_data"],
           "aws_sqs_queue": ["message_retention_seconds", "visibility_timeout_seconds"]}
DETAILED = ("everything", "logs")  # variants whose resources are listed


def source_hash():
    """Of the module's own files. schemas/generated and config/ are read when Terraform runs; nothing of them is rendered."""
    files = [f for f in MODULE.rglob("*") if f.suffix in (".tf", ".sql", ".yaml") and f.relative_to(MODULE).parts[0] not in ("examples", "tests")]
    files = [f for f in files if ".terraform" not in f.parts and not f.name.startswith(".")]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def resources(module):
    yield from (r for r in module.get("resources", []) if r["mode"] == "managed")
    for child in module.get("child_modules", []):
        yield from resources(child)


def parsed(value):
    try:
        return json.loads(value) if isinstance(value, str) and value[:1] in "{[" else value
    except ValueError:
        return value


def reduced(shown, detailed):
    """The parts of a plan that are wanted."""
    outputs = shown["planned_values"]["outputs"]
    planned = {r["address"]: r for r in resources(shown["planned_values"]["root_module"])}
    result = {name: outputs[name]["value"] for name in ("policies", "environment", "star_resources")}
    if not detailed:
        return result
    attached = {a: parsed(r["values"].get(POLICIES[r["type"]])) for a, r in planned.items() if r["type"] in POLICIES}
    result["resource_policies"] = {a: p for a, p in sorted(attached.items()) if p}
    kept = {a: {k: parsed(r["values"].get(k)) for k in VALUES[r["type"]] if r["values"].get(k)} for a, r in planned.items() if r["type"] in VALUES}
    result["resources"] = {a: v for a, v in sorted(kept.items()) if v}
    return result


def render(terraform):
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for name in ("config", "schemas"):  # beside the module, as in the repository
            (scratch / name).symlink_to(ROOT / name)
        here = scratch / "terraform"
        shutil.copytree(MODULE, here, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "examples", "*.tftest.hcl"))

        def run(*arguments):
            done = subprocess.run([terraform, *arguments], cwd=here, capture_output=True, text=True, env={**os.environ, "TF_IN_AUTOMATION": "1", "AWS_REGION": "us-east-1"})
            if done.returncode:
                sys.exit(f"terraform {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
            return done.stdout

        run("init", "-backend=false", "-input=false", "-no-color")
        variants = {}
        for name, variables in VARIANTS.items():
            (here / "variant.tfvars.json").write_text(json.dumps({"package_directory": "tests/fixtures/packages", **variables}))
            run("plan", "-input=false", "-no-color", "-out=plan", "-var-file=variant.tfvars.json")
            variants[name] = reduced(json.loads(run("show", "-json", "plan")), name in DETAILED)
    return json.dumps({"source_sha256": source_hash(), "variants": variants}, indent=1, sort_keys=True) + "\n"


def main():
    if sys.argv[1:] == ["--hash"]:
        return print(source_hash())
    terraform = os.environ.get("TERRAFORM") or shutil.which("terraform") or sys.exit("no terraform on PATH")
    text = render(terraform)
    if sys.argv[1:] == ["--check"]:
        sys.exit(None if RENDERED.read_text() == text else f"{RENDERED.relative_to(ROOT)} is stale: run tools/render-terraform.py")
    RENDERED.parent.mkdir(exist_ok=True)
    RENDERED.write_text(text)
    print(f"{RENDERED.relative_to(ROOT)}: {len(text)} bytes")


if __name__ == "__main__":
    main()
