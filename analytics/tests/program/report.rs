//! Periods, filters, and the forms of the report that are looked at.

use schemas::VIOLATIONS;
use serde_json::{Value, json};

use crate::fixture::{Fixture, HOSTILE, HOSTILE_RULE, january};

fn json(fixture: &Fixture, args: &[&str]) -> Value {
    let run = fixture.run(&[&["report", "--audit", "audit", "--format", "json"], args].concat());
    assert_eq!(run.code, 0, "{args:?} {}", run.err);
    serde_json::from_str(&run.out).unwrap()
}

#[tokio::test]
async fn days_from_one_to_another_are_counted_and_compared_with_as_many_before() {
    let fixture = Fixture::two_months().await;
    let whole = json(&fixture, &["--from", "2024-01-01", "--to", "2024-01-31"]);
    let month = json(&fixture, &["--month", "2024-01"]);
    // January and December both have 31 days.
    for section in ["summary", "summary_before", "by_rule", "by_account", "by_day", "most_serious", "privilege"] {
        assert_eq!(whole[section], month[section], "{section}");
    }
    assert_eq!((&whole["month"], &month["month"]), (&"2024-01-01/2024-01-31".into(), &"2024-01".into()));
    let first = json(&fixture, &["--from", "2024-01-01", "--to", "2024-01-10"]);
    let second = json(&fixture, &["--from", "2024-01-11", "--to", "2024-01-20"]);
    assert_eq!(first["summary"], second["summary_before"]);
    assert_eq!(second["month_before"], "2024-01-01/2024-01-10");
    let across = json(&fixture, &["--from", "2023-12-22", "--to", "2024-01-10"]);
    let days = across["by_day"].as_array().unwrap();
    assert_eq!((&days[0]["day"], &days[days.len() - 1]["day"]), (&"2023-12-22".into(), &"2024-01-10".into()));
}

#[tokio::test]
async fn the_last_days_end_today() {
    let fixture = Fixture::two_months().await;
    let today = chrono::Utc::now();
    let mut row = january()[1].clone();
    row["event_time"] = today.to_rfc3339_opts(chrono::SecondsFormat::Secs, true).into();
    fixture.lake().await.write_rows(&VIOLATIONS, &[row]).await.unwrap();
    // The day may have changed since: two days hold the row either way.
    assert_eq!(json(&fixture, &["--last", "2d"])["summary"]["violations"], 1);
    assert_eq!(json(&fixture, &["--last", "1w"])["by_day"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn filters_count_what_they_ask_for_and_add_up_to_the_whole() {
    let fixture = Fixture::two_months().await;
    let all = json(&fixture, &["--month", "2024-01"])["summary"]["violations"].as_i64().unwrap();
    let count = |filter: &[&str]| {
        json(&fixture, &[&["--month", "2024-01"], filter].concat())["summary"]["violations"].as_i64().unwrap()
    };
    let sum: i64 = ["critical", "HIGH", "Medium", "low"].iter().map(|one| count(&["--severity", one])).sum();
    assert_eq!(sum, all);
    assert_eq!(count(&["--severity", "critical", "--severity", "high"]), count(&["--severity", "critical"]) + 120);
    assert_eq!(count(&["--rule", "AdminPolicyAttachment"]), 120);
    assert_eq!(count(&["--rule", HOSTILE_RULE]), 5);
    assert_eq!(count(&["--account", "444455556666", "--rule", "AdminPolicyAttachment"]), 40);
    let user = "arn:aws:iam::444455556666:user/user-1";
    let of_user = json(&fixture, &["--month", "2024-01", "--principal", user]);
    assert_eq!(of_user["summary"]["principals"], 1);
    assert_eq!(of_user["filter"]["principals"][0], user);
    let text = fixture.run(&["report", "--month", "2024-01", "--audit", "audit", "--principal", user]);
    assert!(text.out.contains(&format!("Only principal {user}\n")), "{}", text.out);
}

#[tokio::test]
async fn a_filter_is_a_value_and_never_sql() {
    let fixture = Fixture::two_months().await;
    for hostile in ["' OR '1'='1", "x') OR (1=1", "{violations}", "'; DROP TABLE violations --", "\\' OR 1=1 --"] {
        let run = fixture.run(&["report", "--month", "2024-01", "--audit", "audit", "--rule", hostile]);
        assert_eq!((run.code, run.err.as_str()), (3, ""), "{hostile}");
    }
}

#[tokio::test]
async fn only_the_folders_of_both_periods_are_opened() {
    let fixture = Fixture::two_months().await;
    for file in fixture.files("") {
        let name = file.to_str().unwrap();
        if !["12/day=30", "12/day=31", "01/day=01", "01/day=02"].iter().any(|day| name.contains(day)) {
            std::fs::write(&file, "no parquet").unwrap();
        }
    }
    json(&fixture, &["--from", "2024-01-01", "--to", "2024-01-02"]);
}

#[test]
fn a_period_that_is_none_is_refused_with_what_to_write() {
    let fixture = Fixture::empty();
    for (args, message) in [
        (["--from", "2024-01-05", "--to", "2024-01-04"].as_slice(), "before it begins on 2024-01-05"),
        (&["--from", "5.1.2024"], "write YYYY-MM-DD"),
        (&["--last", "90"], "such as 90d or 12w"),
        (&["--last", "90d", "--month", "2024-01"], "cannot be used with"),
        (&["--to", "2024-01-05"], "required"),
        (&[], "--month <YYYY-MM>"),
        (&["--from", "2013-01-01", "--to", "2024-01-01"], "at most 3660 days"),
    ] {
        let run = fixture.run(&[&["report", "--audit", "audit"], args].concat());
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{args:?}");
        assert!(run.err.contains(message), "{args:?}: {}", run.err);
    }
}

#[tokio::test]
async fn a_long_period_is_shown_by_week_or_month() {
    let fixture = Fixture::two_months().await;
    for (from, unit) in [("2023-11-01", "By week  "), ("2022-01-01", "By month  ")] {
        let run = fixture.run(&["report", "--audit", "audit", "--from", from, "--to", "2024-01-31"]);
        assert!(run.out.contains(unit), "{}", run.out);
    }
}

#[tokio::test]
async fn hostile_names_stay_text_in_html_and_nothing_is_fetched() {
    let fixture = Fixture::two_months().await;
    let mut rows = Vec::new();
    let names = ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "{{7*7}}", "</style><b>", "<!--"];
    for (number, name) in names.iter().chain(&HOSTILE).enumerate() {
        let mut row = january()[number].clone();
        for column in ["rule_name", "principal_arn", "target_arn", "evidence", "account_id", "source_ip_address"] {
            row[column] = (*name).into();
        }
        row["severity"] = "CRITICAL".into();
        row["violation_id"] = format!("hostile-{number}").into();
        rows.push(row);
    }
    fixture.lake().await.write_rows(&VIOLATIONS, &rows).await.unwrap();
    let run = fixture.run(&["report", "--month", "2024-01", "--audit", "audit", "--format", "html"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let page = run.out;
    assert_eq!(page.matches("<script").count(), 1, "our own script only");
    for markup in ["<img", "<b>alert", "</style><b>", "<!--", "\u{1b}", "\u{202e}", "=x onerror=alert(1)>"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.contains("&#60;script&#62;alert(1)&#60;/script&#62;"), "shown as it is");
    assert!(page.contains("{{7*7}}") || page.contains("&#123;"), "shown as it is");
    for fetched in ["src=", "href=", "url(", "@import", "http-equiv=\"refresh"] {
        let named = page.replace("src=x", "").contains(fetched);
        assert!(!named, "{fetched}");
    }
    let policy = page.split_once("Content-Security-Policy\" content=\"").unwrap().1;
    assert!(policy.starts_with("default-src &#39;none&#39;; "), "{policy:.80}");
}

#[tokio::test]
async fn hostile_names_stay_in_their_cell_of_the_markdown() {
    let run =
        Fixture::two_months().await.run(&["report", "--month", "2024-01", "--audit", "audit", "--format", "markdown"]);
    let rules = run.out.split_once("## By rule").unwrap().1.split_once("## By account").unwrap().0;
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    assert!(rules.lines().filter(|line| line.starts_with('|')).all(|line| bars(line) == 9), "{rules}");
    assert!(!run.out.contains("http://") && !run.out.contains('\u{1b}'));
}

#[tokio::test]
async fn an_empty_period_has_a_page_too() {
    let fixture = Fixture::two_months().await;
    for (format, text) in [("html", "Nothing is recorded"), ("markdown", "Nothing is recorded")] {
        let run = fixture.run(&["report", "--month", "2020-06", "--audit", "audit", "--format", format]);
        assert_eq!(run.code, 3, "{}", run.err);
        assert!(run.out.contains(text) && run.out.contains("2023-12, 2024-01"), "{}", run.out);
    }
}

#[tokio::test]
async fn an_arn_is_shown_whole_where_the_line_has_room() {
    let fixture = Fixture::two_months().await;
    let mut row = january()[1].clone();
    let session = "arn:aws:sts::444455556666:assumed-role/AWSReservedSSO_AdministratorAccess_0123/someone@example.com";
    row["principal_arn"] = session.into();
    row["source_ip_address"] = "2001:db8:85a3:8d3:1319:8a2e:370:7348".into();
    row["target_arn"] =
        "arn:aws:iam::444455556666:role/a-role-with-a-name-that-is-rather-long-as-names-of-stacks-are".into();
    row["outcome"] = "failure".into();
    row["error_code"] = "AccessDenied".into();
    row["severity"] = "CRITICAL".into();
    row["rule_name"] = "LongNames".into();
    row["violation_id"] = "long".into();
    fixture.lake().await.write_rows(&VIOLATIONS, &[row.clone()]).await.unwrap();
    let run = fixture.run(&["report", "--month", "2024-01", "--audit", "audit", "--rule", "LongNames"]);
    let found: String = run.out.lines().map(str::trim_start).collect();
    for whole in [session, row["target_arn"].as_str().unwrap(), "2001:db8:85a3:8d3:1319:8a2e:370:7348", "AccessDenied"]
    {
        assert!(found.contains(whole), "{whole}\n{}", run.out);
    }
    assert!(run.out.lines().all(|line| line.chars().count() <= 100), "{}", run.out);
}

#[tokio::test]
async fn access_that_a_repair_took_back_is_counted_unless_the_repair_was_undone() {
    let fixture = Fixture::two_months().await;
    let repair = |row: usize, status: &str| {
        let mut repair = crate::fixture::repairs()[0].clone();
        repair["violation_id"] = january()[row]["violation_id"].clone();
        repair["event_time"] = january()[row]["event_time"].clone();
        repair["remediation_id"] = format!("{row} {status}").into();
        repair["status"] = status.into();
        repair
    };
    // Rows 2 and 8 granted new access on the first day; row 3 did not, and the others were suppressed or failed.
    let repairs = [repair(2, "SUCCESS"), repair(3, "SUCCESS"), repair(8, "SUCCESS"), repair(8, "UNDONE")];
    fixture.lake().await.write_rows(&schemas::REMEDIATION_LOGS, &repairs).await.unwrap();
    let report = json(&fixture, &["--month", "2024-01"]);
    assert_eq!(report["privilege"][0], serde_json::json!({"day": "2024-01-01", "granted": 2, "taken_back": 1}));
    let granted: i64 = report["privilege"].as_array().unwrap().iter().map(|day| day["granted"].as_i64().unwrap()).sum();
    assert_eq!(report["summary"]["new_access"], granted);
}

#[tokio::test]
async fn suppressions_of_the_file_are_used_or_unused_or_expired_and_others_are_not_in_it() {
    let lake = Fixture::two_months().await;
    let entry = |name: &str, expires: &str| {
        format!(
            "  - {{name: {name}, reason: r, owner: o, expires: {expires}, conditions: {{event_names: [CreateUser]}}}}\n"
        )
    };
    let file =
        ["suppressions:\n".to_owned(), entry("deployment-pipeline", "2099-01-01"), entry("migration", "2024-01-20")];
    let file = [&file[..], &[entry("never-used", "2099-01-01")]].concat().concat();
    std::fs::write(lake.path("suppress.yaml"), file).unwrap();
    let found = json(&lake, &["--month", "2024-01", "--suppress", "suppress.yaml"]);
    let states: Vec<(&str, &str)> = found["suppressions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["suppressed_by"].as_str().unwrap(), row["state"].as_str().unwrap()))
        .collect();
    let expected = [
        ("deployment-pipeline", "used"),
        ("break-glass-drill", "removed"),
        ("migration", "expired"),
        ("never-used", "unused"),
    ];
    let sorted = |mut rows: Vec<(&str, &str)>| {
        rows.sort_unstable();
        rows.iter().map(|(name, state)| format!("{name} {state}")).collect::<Vec<_>>()
    };
    assert_eq!(sorted(states), sorted(expected.to_vec()));
    let text = lake.run(&["report", "--month", "2024-01", "--audit", "audit", "--suppress", "suppress.yaml"]);
    for state in ["used", "not in the file", "expired", "matched nothing"] {
        assert!(text.out.contains(state), "{state}: {}", text.out);
    }
    let bad = lake.run(&["report", "--month", "2024-01", "--audit", "audit", "--suppress", "missing.yaml"]);
    assert_eq!((bad.code, bad.out.as_str()), (2, ""));
}

#[tokio::test]
async fn attack_patterns_and_callers_count_what_the_filter_lets_through() {
    let lake = Fixture::two_months().await;
    let whole = json(&lake, &["--month", "2024-01"]);
    let view = "SELECT COUNT(*) AS n FROM policy_attack_patterns WHERE year = '2024' AND month = '01'";
    let run = lake.run(&["sql", view, "--audit", "audit", "--format", "json"]);
    let rows: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(rows[0]["n"].as_u64().unwrap() as usize, whole["attack_patterns"].as_array().unwrap().len());
    let total: i64 =
        whole["by_principal"].as_array().unwrap().iter().map(|row| row["violations"].as_i64().unwrap()).sum();
    assert_eq!(Some(total), whole["summary"]["reported"].as_i64(), "fewer than 50 callers: all of them are listed");
    let one = json(&lake, &["--month", "2024-01", "--principal", "user-3"]);
    assert!(
        one["by_principal"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["principal"].as_str().unwrap().ends_with("user-3"))
    );
}

#[test]
fn capacity_shows_every_formula_and_the_same_numbers_as_json() {
    let here = Fixture::empty();
    let asked = ["capacity", "--events-per-second", "2000", "--accounts", "200"];
    let text = here.run(&asked);
    assert_eq!((text.code, text.err.as_str()), (0, ""));
    let run = here.run(&[&asked[..], &["--format", "json"]].concat());
    let found: Value = serde_json::from_str(&run.out).unwrap();
    // 2,000 events of 1,280 bytes are 2.56 MB/s: by size 3.66, so four shards of which two batches each are at work.
    let need = |name: &str| {
        found["needs"].as_array().unwrap().iter().find(|need| need["name"] == name).unwrap()["value"].clone()
    };
    assert_eq!((need("Shards"), need("Lambda concurrency")), (4.0.into(), 8.0.into()));
    assert!(text.out.contains("2,000 / 1000 records/s") && text.out.contains("list prices of 20"), "{}", text.out);
    for wrong in [["--accounts", "0"], ["--events-per-second", "0"], ["--events-per-second", "x"]] {
        let args = ["capacity", "--events-per-second", "1", "--accounts", "1"];
        let mut args: Vec<&str> = args.to_vec();
        let place = args.iter().position(|arg| *arg == wrong[0]).unwrap();
        args[place + 1] = wrong[1];
        assert_eq!(here.run(&args).code, 2, "{wrong:?}");
    }
    assert_eq!(here.run(&[&asked[..], &["--judged", "101"]].concat()).code, 2);
}

#[tokio::test]
async fn one_row_is_a_whole_report_in_every_format() {
    let fixture = Fixture::empty();
    let row = json!({"violation_id": "v1", "event_id": "e1", "event_time": "2024-01-05T12:00:00Z",
        "detected_at": "2024-01-05T12:00:01Z", "rule_name": "OnlyRule", "severity": "HIGH", "description": "d",
        "action": "alert", "suppressed": false, "event_source": "iam.amazonaws.com", "event_name": "CreateUser",
        "outcome": "success", "account_id": "111122223333", "principal_name": "only-one", "certainty": "must",
        "evidence": "The only row."});
    fixture.lake().await.write_rows(&VIOLATIONS, &[row]).await.unwrap();
    let run = |format: &str| {
        let args = ["report", "--month", "2024-01", "--audit", "audit", "--format", format];
        let (first, second) = (fixture.run(&args), fixture.run(&args));
        assert_eq!((first.code, first.err.as_str()), (0, ""), "{format}");
        assert_eq!(first.out, second.out, "{format}");
        first.out
    };
    let report: Value = serde_json::from_str(&run("json")).unwrap();
    let summary = json!({"violations": 1, "reported": 1, "suppressed": 0, "attempts": 0, "new_access": 0, "critical": 0,
        "high": 1, "medium": 0, "low": 0, "rules": 1, "accounts": 1, "principals": 1});
    assert_eq!((&report["empty"], &report["summary"]), (&false.into(), &summary));
    assert_eq!(
        report["by_day"],
        json!([{"day": "2024-01-05", "violations": 1, "critical": 0, "high": 1, "medium": 0, "low": 0}])
    );
    let sections = ["most_serious", "by_rule", "by_account", "by_principal"];
    assert!(sections.iter().all(|section| report[section].as_array().unwrap().len() == 1), "{report}");
    let none = ["high_risk_principals", "attack_patterns", "suppressions", "remediation", "repair_times", "privilege"];
    assert!(none.iter().all(|section| report[section] == json!([])), "{report}");
    for format in ["text", "markdown", "html"] {
        let page = run(format);
        assert!(
            ["OnlyRule", "111122223333", "only-one", "The only row."].iter().all(|name| page.contains(name)),
            "{page}"
        );
    }
    assert!(run("csv").contains("by_rule,OnlyRule,HIGH,violations,2024-01,1\r\n"), "{}", run("csv"));
}
