//! Whole reports, compared byte for byte. `UPDATE_GOLDEN=1 cargo test -p analytics` rewrites the expected files.

use std::path::Path;

use unicode_width::UnicodeWidthStr;

use crate::fixture::{Fixture, january};
use schemas::VIOLATIONS;

fn expect(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(actual == expected, "{name} differs; look at it with UPDATE_GOLDEN=1 and git diff:\n{actual}");
}

#[tokio::test]
async fn the_report_is_as_expected_in_every_format_and_the_same_in_every_run() {
    let lake = Fixture::two_months().await;
    for (format, ending) in [("text", "txt"), ("json", "json"), ("csv", "csv"), ("markdown", "md"), ("html", "html")] {
        let args = ["report", "--month", "2024-01", "--audit", "audit", "--format", format];
        let run = lake.run(&args);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{format}");
        assert_eq!(lake.run(&args).out, run.out, "{format}");
        expect(&format!("january.{ending}"), &run.out);
    }
}

#[test]
fn without_arguments_the_sample_is_shown_and_said_to_be_one() {
    let run = Fixture::empty().run(&[]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(run.out.contains("built-in sample"));
    expect("sample.txt", &run.out);
}

#[tokio::test]
async fn no_line_of_the_text_is_wider_than_100_columns_or_acts_on_a_terminal() {
    let run = Fixture::two_months().await.run(&["report", "--month", "2024-01", "--audit", "audit"]);
    for line in run.out.lines() {
        assert!(line.width() <= 100, "{} {line}", line.width());
        assert!(!line.contains(|c: char| c.is_control() || "\u{200b}\u{202e}\u{feff}".contains(c)), "{line:?}");
    }
}

#[tokio::test]
async fn hostile_names_stay_in_their_field_of_the_csv() {
    let run = Fixture::two_months().await.run(&["report", "--month", "2024-01", "--audit", "audit", "--format", "csv"]);
    let records: Vec<&str> = run.out.split("\r\n").collect();
    assert!(
        records
            .iter()
            .all(|record| record.is_empty() || !record.contains(['\r', '\n', '\u{1b}', '\u{9b}', '\u{202e}']))
    );
    let formula = records.iter().flat_map(|record| record.split(',')).find(|cell| cell.starts_with(['=', '+', '@']));
    assert_eq!(formula, None);
    assert!(run.out.contains("'@SUM(1+1)"));
}

#[tokio::test]
async fn json_gives_hostile_names_back_as_they_were() {
    let run =
        Fixture::two_months().await.run(&["report", "--month", "2024-01", "--audit", "audit", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let rules = report["by_rule"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule["rule_name"] == crate::fixture::HOSTILE_RULE));
    assert!(!run.out.contains(['\u{1b}', '\u{9b}', '\u{202e}']));
}

#[tokio::test]
async fn how_rows_are_spread_over_files_does_not_change_the_report() {
    let one_file_a_day = Fixture::empty();
    one_file_a_day.lake().await.write_rows(&VIOLATIONS, &january()).await.unwrap();
    let many_copies = Fixture::empty();
    let lake = many_copies.lake().await;
    for rows in january().chunks(37).chain(january().chunks(50)) {
        lake.write_rows(&VIOLATIONS, rows).await.unwrap();
    }
    assert!(many_copies.files("violations").len() > one_file_a_day.files("violations").len());
    let args = ["report", "--month", "2024-01", "--audit", "audit", "--format", "json"];
    assert_eq!(many_copies.run(&args).out, one_file_a_day.run(&args).out);
}

#[tokio::test]
async fn a_report_written_to_a_file_is_the_one_that_would_be_printed() {
    let lake = Fixture::two_months().await;
    let run = lake.run(&["report", "--month", "2024-01", "--audit", "audit", "--output", "january.txt"]);
    assert_eq!((run.code, run.out.as_str()), (0, ""));
    let printed = lake.run(&["report", "--month", "2024-01", "--audit", "audit"]);
    assert_eq!(std::fs::read_to_string(lake.path("january.txt")).unwrap(), printed.out);
}
