//! The lake of the tests: January 2024 and December 2023, with everything that makes counting hard.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lake::Lake;
use schemas::{REMEDIATION_LOGS, VIOLATIONS, derived_id, violation_id};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Rules by the last digit of the row number: 4, 3, 2 and 1 of 10.
const RULES: [(&str, &str); 4] = [
    ("AdminPolicyAttachment", "HIGH"),
    ("AccessKeyForOtherUser", "MEDIUM"),
    ("PrivilegeEscalationGranted", "CRITICAL"),
    ("WildcardServicePolicy", "LOW"),
];

/// Names that try to break a terminal, a table or a spreadsheet.
pub(crate) const HOSTILE: [&str; 5] = [
    "\u{1b}[2J\u{1b}]0;gone\u{7}red\nsecond line\rover",
    "=HYPERLINK(\"http://example.com\",\"open\")",
    "admin\u{202e}txt.exe\u{200b}\u{feff}",
    "東京の管理者/שלום,\"quoted\";x",
    "LONG",
];

/// A rule of January only, whose name is a formula.
pub(crate) const HOSTILE_RULE: &str = "@SUM(1+1)*cmd|'/C calc'!A0\u{9b}31m";

/// A lake in a folder `audit` of a temporary folder, which goes with the value.
pub(crate) struct Fixture {
    folder: TempDir,
}

impl Fixture {
    /// A temporary folder with an empty folder `audit`.
    pub(crate) fn empty() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("audit")).unwrap();
        Fixture { folder }
    }

    /// Both months, cut into overlapping batches, so that 50 rows of January are in two files.
    pub(crate) async fn two_months() -> Fixture {
        let fixture = Fixture::empty();
        let lake = fixture.lake().await;
        let january = january();
        lake.write_rows(&VIOLATIONS, &january[..200]).await.unwrap();
        lake.write_rows(&VIOLATIONS, &january[150..]).await.unwrap();
        lake.write_rows(&VIOLATIONS, &december()).await.unwrap();
        lake.write_rows(&REMEDIATION_LOGS, &repairs()).await.unwrap();
        fixture
    }

    pub(crate) async fn lake(&self) -> Lake {
        Lake::open(self.path("audit").to_str().unwrap()).await.unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program in the temporary folder, so that `--audit audit` is the lake. No AWS settings reach it.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_analytics"));
        command.current_dir(self.folder.path()).args(args).env_clear().env("HOME", self.folder.path());
        // Without this the AWS SDK asks the network for the role of the machine.
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        Run::of(command.output().unwrap())
    }

    /// The Parquet files below a folder of the lake, sorted.
    pub(crate) fn files(&self, below: &str) -> Vec<PathBuf> {
        let mut files = Vec::new();
        walk(&self.path("audit").join(below), &mut files);
        files.sort();
        files
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// What a run of the program gave.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    fn of(output: Output) -> Run {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// 300 ordinary rows, one every 2 hours and 28 minutes, and 5 hostile ones.
pub(crate) fn january() -> Vec<Value> {
    let ordinary = (0..300).map(|i| row(i, 1_704_067_200 + i * 8_880));
    ordinary.chain((0..5).map(|i| hostile(i, 1_704_067_200 + i * 86_400))).collect()
}

/// 108 ordinary rows, one every 6 hours; the rule of the digit 9 is missing.
pub(crate) fn december() -> Vec<Value> {
    (0..120).filter(|i| i % 10 != 9).map(|i| row(1_000 + i, 1_701_388_800 + i * 21_600)).collect()
}

fn row(i: i64, seconds: i64) -> Value {
    let (rule, severity) = RULES[[0, 0, 0, 0, 1, 1, 1, 2, 2, 3][(i % 10) as usize]];
    let account = ["111122223333", "444455556666", "777788889999"][(i % 3) as usize];
    let suppressed = i % 6 == 0 && severity != "CRITICAL";
    let failed = i % 15 == 4;
    let user = format!("arn:aws:iam::{account}:user/user-{}", i % 14);
    let event = format!("event-{i:05}");
    json!({
        "violation_id": violation_id(account, &event, rule), "event_id": event,
        "event_time": time(seconds), "detected_at": time(seconds), "rule_name": rule, "severity": severity,
        "description": "What the rule detects", "action": "alert", "suppressed": suppressed,
        "suppressed_by": suppressed.then_some(["deployment-pipeline", "break-glass-drill"][(i % 12 / 6) as usize]),
        "event_source": "iam.amazonaws.com", "event_name": "AttachUserPolicy", "event_kind": "managed_policy_attach",
        "outcome": if failed { "failure" } else { "success" }, "error_code": failed.then_some("AccessDenied"),
        "aws_region": "us-east-1", "account_id": account, "principal_arn": user, "principal_name": format!("user-{}", i % 14),
        "source_ip_address": format!("203.0.113.{}", i % 4), "target_type": "user",
        "target_name": format!("target-{}", i % 5), "target_arn": format!("arn:aws:iam::{account}:user/target-{}", i % 5),
        "certainty": if i % 4 == 0 { "may" } else { "must" },
        "evidence": format!("Statement {} allows every action on every resource.", i % 3),
        "new_access": i % 2 == 0, "original_event": json!({ "eventID": event }).to_string(),
    })
}

fn hostile(i: i64, seconds: i64) -> Value {
    let long = "a-very-long-name-".repeat(400);
    let name = if HOSTILE[i as usize] == "LONG" { long.as_str() } else { HOSTILE[i as usize] };
    let event = format!("hostile-{i}");
    json!({
        "violation_id": violation_id("111122223333", &event, HOSTILE_RULE), "event_id": event,
        "event_time": time(seconds), "detected_at": time(seconds), "rule_name": HOSTILE_RULE, "severity": "CRITICAL",
        "description": name, "action": "alert", "suppressed": false, "event_source": "iam.amazonaws.com",
        "event_name": "CreateUser", "outcome": "success", "account_id": "111122223333", "principal_name": name,
        "source_ip_address": name, "target_type": name, "target_name": name, "certainty": "must",
        "evidence": format!("The user {name} was made."),
    })
}

/// January: detach_policy 8 attempts of which 6 succeed, one of them as a dry run, 5 repairs of 60 seconds each;
/// delete_policy 4 attempts of which 1 succeeds. December: detach_policy 2 attempts.
pub(crate) fn repairs() -> Vec<Value> {
    let detach = ["SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS", "DRY_RUN", "FAILED", "SKIPPED"];
    let delete = ["UNDONE", "FAILED", "FAILED", "SKIPPED"];
    let january =
        detach.iter().map(|status| ("detach_policy", *status)).chain(delete.map(|status| ("delete_policy", status)));
    let december = [("detach_policy", "SUCCESS"), ("detach_policy", "FAILED")];
    let mut rows: Vec<Value> =
        january.zip(0..).map(|((action, status), i)| repair(i, action, status, 1_704_110_400 + i * 7_200)).collect();
    rows.extend(december.into_iter().zip(100..).map(|((action, status), i)| repair(i, action, status, 1_702_000_000)));
    rows
}

fn repair(i: i64, action: &str, status: &str, seconds: i64) -> Value {
    json!({
        "remediation_id": derived_id(&["repair", &i.to_string()]), "violation_id": derived_id(&["violation", &i.to_string()]),
        "event_id": format!("event-{i:05}"), "timestamp": time(seconds + 60), "event_time": time(seconds),
        "remediation_action": action, "success": matches!(status, "SUCCESS" | "DRY_RUN" | "UNDONE"), "status": status,
        "dry_run": status == "DRY_RUN", "rule_name": "AdminPolicyAttachment", "severity": "HIGH",
        "account_id": "111122223333", "attempt": 1,
    })
}

fn time(seconds: i64) -> String {
    chrono::DateTime::from_timestamp(seconds, 0).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
