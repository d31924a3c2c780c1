//! The four programs on a command line, without AWS, without arguments, with files good and bad.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests stop at the first surprise

use std::fs;
use std::process::{Command, Output};

use stream::notify::sample;

const PROGRAMS: [&str; 4] = [
    env!("CARGO_BIN_EXE_sns_publisher"),
    env!("CARGO_BIN_EXE_slack_handler"),
    env!("CARGO_BIN_EXE_metrics_publisher"),
    env!("CARGO_BIN_EXE_audit_logger"),
];

/// Runs with an empty environment: no credentials, no home.
fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).env_clear().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn without_arguments_each_shows_the_sample_and_with_help_how_to_go_on() {
    for program in PROGRAMS {
        let output = run(program, &[]);
        assert!(output.status.success(), "{program} {}", text(&output.stderr));
        assert!(text(&output.stdout).contains("PrivilegeEscalationGranted"), "{program}");
        let help = text(&run(program, &["--help"]).stdout);
        for option in ["--event", "--log-level", "USE_REAL_AWS"] {
            assert!(help.contains(option), "{program} {help}");
        }
    }
}

#[test]
fn what_slack_shows_is_what_the_golden_file_shows() {
    let shown = text(&run(PROGRAMS[1], &[]).stdout);
    let golden = include_str!("notify/golden/attached.slack.txt")
        .replace("to #iam-alerts             ", "to the channel of the webhook");
    let golden = golden.lines().skip(2).collect::<Vec<_>>().join("\n");
    assert!(shown.contains(&golden), "{shown}");
    assert!(shown.ends_with("3 events: 3 sent by itself\n"), "{shown}");
}

#[test]
fn an_event_of_another_shape_is_told_and_the_others_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.jsonl");
    let lines: Vec<&str> = sample::EVENTS.lines().collect();
    fs::write(&file, format!("{}\n{{\"source\": \"else\"}}\nno json\n{}\n", lines[0], lines[2])).unwrap();
    for program in PROGRAMS {
        let output = run(program, &["--event", file.to_str().unwrap()]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(
            told.contains("event 2 is refused, nothing is sent for it: detail-type is missing or no text"),
            "{told}"
        );
        assert!(told.contains("event 3 is refused, nothing is sent for it: not readable as JSON"), "{told}");
        assert!(text(&output.stdout).contains("delete_inline_policy"));
    }
}

#[test]
fn a_missing_file_a_broken_configuration_and_missing_settings_say_what_to_do() {
    let output = run(PROGRAMS[0], &["--event", "nowhere.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("error: cannot open nowhere.json"), "{}", text(&output.stderr));
    let faults = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/notify/config/faults.yaml");
    let told = text(&run(PROGRAMS[1], &["--config", faults]).stderr);
    assert!(told.contains("faults.yaml:3:3: error: unknown key \"feilds\""), "{told}");
    let real = Command::new(PROGRAMS[0]).env_clear().env("USE_REAL_AWS", "true").output().unwrap();
    assert!(text(&real.stderr).contains("AUDIT_BUCKET is not set"), "{}", text(&real.stderr));
}

#[test]
fn the_audit_log_is_written_to_a_folder_once_however_often() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    for _ in 0..2 {
        let output = run(PROGRAMS[3], &["--folder", place]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).ends_with(&format!("3 rows written to {place}/audit_log\n")));
    }
    let day = folder.path().join("audit_log/year=2024/month=01/day=05");
    let files: Vec<_> = fs::read_dir(day).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let file = parquet::file::reader::SerializedFileReader::new(fs::File::open(&files[0]).unwrap()).unwrap();
    let columns: Vec<&str> = schemas::AUDIT_LOG.columns.iter().map(|column| column.name).collect();
    let metadata = parquet::file::reader::FileReader::metadata(&file).file_metadata().clone();
    let written: Vec<String> =
        metadata.schema_descr().columns().iter().map(|column| column.name().to_owned()).collect();
    assert_eq!((written, metadata.num_rows()), (columns.into_iter().map(str::to_owned).collect(), 3));
}
