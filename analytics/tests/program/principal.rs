//! `analytics principal`: one story, counted by hand.

use schemas::{IAM_EVENTS, REMEDIATION_LOGS, VIOLATIONS};
use serde_json::{Value, json};

use crate::fixture::{Fixture, january, repairs};

const MALLORY: &str = "arn:aws:iam::111122223333:user/mallory";
const ROLE: &str = "arn:aws:iam::111122223333:role/ops";

fn violation(number: usize, change: &[(&str, Value)]) -> Value {
    let mut row = january()[1].clone();
    row["violation_id"] = format!("v{number}").into();
    row["event_id"] = format!("e{number}").into();
    row["event_time"] = format!("2024-01-{:02}T10:00:00Z", number + 1).into();
    for (name, value) in change {
        row[*name] = value.clone();
    }
    row
}

async fn story() -> Fixture {
    let fixture = Fixture::two_months().await;
    let by = |arn: &str| ("principal_arn", Value::from(arn));
    let rows = [
        violation(1, &[by(MALLORY), ("source_ip_address", "198.51.100.7".into()), ("access_key_id", "AKIA1".into())]),
        violation(
            2,
            &[by(MALLORY), ("source_ip_address", "198.51.100.9".into()), ("account_id", "444455556666".into())],
        ),
        // A second rule for the event of the first.
        violation(
            3,
            &[
                by(MALLORY),
                ("event_id", "e1".into()),
                ("event_time", "2024-01-02T10:00:00Z".into()),
                ("account_id", january()[1]["account_id"].clone()),
                ("rule_name", "Second".into()),
                ("severity", "CRITICAL".into()),
            ],
        ),
        violation(4, &[by("arn:aws:sts::111122223333:assumed-role/ops/eve"), ("session_issuer_arn", ROLE.into())]),
        violation(5, &[by("arn:aws:iam::111122223333:user/other"), ("target_arn", MALLORY.into())]),
        violation(6, &[by("arn:aws:iam::111122223333:user/o'brien\u{1b}[31m")]),
    ];
    let lake = fixture.lake().await;
    lake.write_rows(&VIOLATIONS, &rows).await.unwrap();
    lake.write_rows(&VIOLATIONS, &rows[..2]).await.unwrap();
    let event = |id: &str, time: &str, account: &str| {
        json!({"event_id": id, "event_time": time, "account_id": account, "event_source": "iam.amazonaws.com",
            "event_name": "CreateUser", "principal_arn": MALLORY, "event": "{}"})
    };
    let account = january()[1]["account_id"].as_str().unwrap().to_owned();
    let events = [event("e1", "2024-01-02T10:00:00Z", &account), event("quiet", "2024-02-01T00:00:00Z", &account)];
    lake.write_rows(&IAM_EVENTS, &events).await.unwrap();
    let mut repair = repairs()[0].clone();
    repair["remediation_id"] = "r1".into();
    repair["principal_arn"] = MALLORY.into();
    lake.write_rows(&REMEDIATION_LOGS, &[repair]).await.unwrap();
    fixture
}

fn ask(fixture: &Fixture, args: &[&str]) -> Value {
    let run = fixture.run(&[&["principal", "--audit", "audit", "--format", "json"], args].concat());
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{args:?}");
    serde_json::from_str(&run.out).unwrap()
}

#[tokio::test]
async fn a_principal_is_told_whole_and_every_change_once() {
    let fixture = story().await;
    let story = ask(&fixture, &[MALLORY]);
    assert_eq!(
        story["totals"],
        json!({"first_seen": "2024-01-02T10:00:00Z", "last_seen": "2024-02-01T00:00:00Z", "changes": 3, "failed": 0, "violations": 3})
    );
    let values = |list: &str| {
        let seen = story[list].as_array().unwrap().iter();
        seen.map(|seen| (seen["value"].as_str().unwrap().to_owned(), seen["changes"].as_i64().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(values("accounts").iter().map(|(_, changes)| changes).sum::<i64>(), 3);
    assert_eq!(values("source_addresses").len(), 2, "{story}");
    assert_eq!(values("access_keys"), [("AKIA1".to_owned(), 1)]);
    let rules: Vec<&str> =
        story["rules"].as_array().unwrap().iter().map(|rule| rule["rule_name"].as_str().unwrap()).collect();
    assert_eq!(rules, ["Second", "AdminPolicyAttachment"]);
    assert_eq!(story["violations"].as_array().unwrap().len(), 3);
    assert_eq!(
        (&story["done_to_it"][0]["violation_id"], story["done_to_it"].as_array().unwrap().len()),
        (&"v5".into(), 1)
    );
    assert_eq!((&story["repairs"][0]["remediation_id"], story["repairs"].as_array().unwrap().len()), (&"r1".into(), 1));
}

#[tokio::test]
async fn the_arn_of_a_role_finds_what_its_sessions_did_and_a_period_narrows_it() {
    let fixture = story().await;
    let story = ask(&fixture, &[ROLE]);
    assert_eq!(story["identities"][0]["value"], "arn:aws:sts::111122223333:assumed-role/ops/eve");
    let narrow = ask(&fixture, &[MALLORY, "--from", "2024-01-01", "--to", "2024-01-02"]);
    assert_eq!((&narrow["totals"]["violations"], &narrow["period"]), (&2.into(), &"2024-01-01/2024-01-02".into()));
}

#[tokio::test]
async fn the_text_is_narrow_plain_and_the_same_in_every_run() {
    let fixture = story().await;
    for name in [MALLORY, "arn:aws:iam::111122223333:user/o'brien\u{1b}[31m"] {
        let run = fixture.run(&["principal", name, "--audit", "audit"]);
        assert_eq!((run.code, run.err.as_str()), (0, ""));
        assert_eq!(run.out, fixture.run(&["principal", name, "--audit", "audit"]).out);
        for line in run.out.lines() {
            assert!(unicode_width::UnicodeWidthStr::width(line) <= 100 && !line.contains(char::is_control), "{line}");
        }
        assert!(run.out.contains("Its latest violations"), "{}", run.out);
    }
}

#[tokio::test]
async fn nothing_recorded_is_said_and_sql_is_never_injected() {
    let fixture = story().await;
    for name in ["arn:aws:iam::111122223333:user/nobody", "' OR '1'='1", "{days}", "x' OR 1=1 --"] {
        let run = fixture.run(&["principal", name, "--audit", "audit"]);
        assert_eq!((run.code, run.err.as_str()), (3, ""), "{name}");
        assert!(run.out.contains("Nothing is recorded about it."), "{}", run.out);
    }
}
