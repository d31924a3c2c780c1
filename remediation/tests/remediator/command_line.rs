//! The command line on a laptop: no AWS, no credentials.

use std::process::Command;

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_remediator")).args(arguments).env_clear().output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn without_arguments_it_shows_the_plan_for_a_sample_and_changes_nothing() {
    let (code, out, err) = run(&[]);
    assert_eq!(code, Some(0), "{err}");
    for part in [
        "delete inline policy deploy-helper of user bob",
        "may only: iam:DeleteUserPolicy on arn:aws:iam::111111111111:user/bob",
        "Taken back by",
        "as a dry run",
        "IAM Policy Remediation Status",
        "\"status\":\"DRY_RUN\"",
    ] {
        assert!(out.contains(part), "{part} in\n{out}");
    }
}

#[test]
fn plan_says_why_not_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    std::fs::write(
        &config,
        r#"{"allowed_actions": ["delete_inline_policy"], "protected_policies": ["deploy-helper"]}"#,
    )
    .unwrap();
    let audit = folder.path().join("audit");
    let (code, out, err) = run(&["plan", "--config", config.to_str().unwrap(), "--audit", audit.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("nothing is changed: the policy matches the protected policy \"deploy-helper\""), "{out}");
    assert!(!audit.exists());
}

#[test]
fn a_folder_keeps_rows_and_claims_and_the_second_run_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit");
    let first = run(&["--audit", audit.to_str().unwrap()]);
    assert!(first.1.contains("Dry run"), "{}{}", first.1, first.2);
    let second = run(&["--audit", audit.to_str().unwrap()]);
    assert!(second.1.contains("dealt with before"), "{}{}", second.1, second.2);
    assert!(audit.join("remediation_logs/year=2024/month=01/day=05").is_dir());
    let listed = run(&["list", "--audit", audit.to_str().unwrap()]);
    assert!(listed.1.contains("no repairs"), "a dry run has no snapshot: {}", listed.1);
}

#[test]
fn a_message_that_cannot_be_read_is_said_and_the_others_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("messages.jsonl");
    let sample: serde_json::Value = serde_json::from_str(include_str!("../../src/sample.json")).unwrap();
    std::fs::write(&file, format!("no JSON\n{sample}\n")).unwrap();
    let (code, out, err) = run(&["plan", "--event", file.to_str().unwrap()]);
    assert_eq!(code, Some(3));
    assert!(err.contains("refused") && out.contains("Verdict"), "{out}{err}");
}

#[test]
fn undo_without_aws_says_what_it_needs() {
    let (code, _, err) = run(&["undo", "9ac8123a-fd38-5d70-b3c5-936b10e81133"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("no snapshot"), "{err}");
}
