//! `analytics verify`: each fault is found, and a sound lake has none.

use std::fs;

use schemas::{AUDIT_LOG, VIOLATIONS};
use serde_json::{Value, json};

use crate::fixture::{Fixture, december, january};

fn books(fixture: &Fixture, args: &[&str]) -> (i32, Value) {
    let run = fixture.run(&[&["verify", "--audit", "audit", "--format", "json"], args].concat());
    (run.code, serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}", run.err)))
}

/// Check, place and count of each fault.
fn faults(books: &Value) -> Vec<(String, String, i64)> {
    let faults = books["findings"].as_array().unwrap().iter().filter(|finding| finding["grade"] == "fault");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    faults.map(|fault| (text(&fault["check"]), text(&fault["place"]), fault["count"].as_i64().unwrap())).collect()
}

/// The audit log as the bus would have told it.
fn told(rows: &[Value]) -> Vec<Value> {
    let on_bus = rows.iter().filter(|row| row["suppressed"] == false);
    let entry = |row: &Value| {
        json!({"event_id": row["violation_id"], "timestamp": row["event_time"], "source": "iam.policy.monitor",
            "detail_type": "IAM Policy Violation"})
    };
    on_bus.map(entry).collect()
}

async fn sound() -> Fixture {
    let fixture = Fixture::two_months().await;
    let lake = fixture.lake().await;
    lake.write_rows(&AUDIT_LOG, &told(&[january(), december()].concat())).await.unwrap();
    fixture
}

#[tokio::test]
async fn a_sound_lake_balances_and_its_repeats_are_a_note() {
    let fixture = sound().await;
    let (code, found) = books(&fixture, &[]);
    assert_eq!((code, faults(&found)), (0, vec![]), "{found}");
    assert_eq!((&found["tables"][0]["rows"], &found["tables"][0]["repeats"]), (&424.into(), &11.into()));
    assert_eq!(found["compared_with_audit_log"], true);
    let text = fixture.run(&["verify", "--audit", "audit", "--month", "2024-01"]);
    assert!(text.out.ends_with("The books balance.\n"), "{}", text.out);
    assert!(text.out.lines().all(|line| line.chars().count() <= 100), "{}", text.out);
}

#[tokio::test]
async fn every_fault_is_found_and_named() {
    let fixture = sound().await;
    let lake = fixture.lake().await;
    let day = "violations/year=2024/month=01/day=05";
    fs::write(fixture.path(&format!("audit/{day}/broken.parquet")), "no parquet").unwrap();
    fs::write(fixture.path("audit/violations/stray.parquet"), "x").unwrap();
    // A file of the sixth in the folder of the fifth: its rows are in two days now.
    let sixth = fixture.files("violations/year=2024/month=01/day=06")[0].clone();
    fs::copy(&sixth, fixture.path(&format!("audit/{day}/of-the-sixth.parquet"))).unwrap();
    let mut untold = january()[1].clone();
    untold["violation_id"] = "untold".into();
    untold["event_time"] = "2024-01-20T00:00:00Z".into();
    lake.write_rows(&VIOLATIONS, &[untold]).await.unwrap();
    let mut lost = told(&january()[1..2]);
    lost[0]["event_id"] = "lost".into();
    lost[0]["timestamp"] = "2024-01-21T00:00:00Z".into();
    lake.write_rows(&AUDIT_LOG, &lost).await.unwrap();

    let (code, found) = books(&fixture, &[]);
    assert_eq!(code, 5);
    let faults = faults(&found);
    let of = |check: &str| faults.iter().filter(|(found, ..)| found == check).collect::<Vec<_>>();
    assert_eq!(of("outside_partition")[0].1, "violations/stray.parquet");
    assert_eq!(of("unreadable")[0].1, format!("{day}/broken.parquet"));
    let strays = of("wrong_partition")[0].2;
    assert!(strays > 0 && of("wrong_partition")[0].1 == "2024-01-05", "{faults:?}");
    assert_eq!(of("several_partitions")[0].2, strays);
    assert_eq!((of("not_on_bus").len(), of("not_on_bus")[0].1.as_str()), (1, "2024-01-20"));
    assert_eq!((of("not_in_lake").len(), of("not_in_lake")[0].1.as_str()), (1, "2024-01-21"));
    assert_eq!(books(&fixture, &["--from", "2024-01-10", "--to", "2024-01-12"]).1["tables"][0]["files"], 3);
    let text = fixture.run(&["verify", "--audit", "audit"]);
    assert!(text.out.ends_with("The books do not balance.\n"), "{}", text.out);
}

#[tokio::test]
async fn without_an_audit_log_nothing_is_compared_and_that_is_said() {
    let fixture = Fixture::two_months().await;
    let (code, found) = books(&fixture, &[]);
    assert_eq!((code, &found["compared_with_audit_log"]), (0, &false.into()));
    let text = fixture.run(&["verify", "--audit", "audit"]);
    assert!(text.out.contains("violations were not compared with it"), "{}", text.out);
}
