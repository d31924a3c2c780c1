//! The compactor as a Lambda, against a stand-in for AWS that others wrote.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests stop at the first surprise

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use local_aws::{Call, Fault, Function, FunctionError, LocalAws, Proxy};
use schemas::VIOLATIONS;
use serde_json::{Value, json};
use stream::notify::sample;

const NAMESPACE: &str = "IAMPolicyMonitor";

struct World {
    aws: LocalAws,
    proxy: Proxy,
    function: Function,
}

impl World {
    /// A lake with three files of one row on each of two days.
    fn new() -> World {
        let aws = LocalAws::start();
        aws.create_bucket("audit");
        for day in [Utc::now(), Utc::now() - TimeDelta::days(1)] {
            for place in 0..3 {
                let folder = day.format("violations/year=%Y/month=%m/day=%d");
                aws.put_object("audit", &format!("{folder}/{place}.parquet"), &file(day, place));
            }
        }
        let proxy = Proxy::start(&aws);
        let mut environment = proxy.environment();
        environment.push(("AUDIT_BUCKET".to_owned(), "audit".to_owned()));
        let function = Function::start(env!("CARGO_BIN_EXE_compactor"), &environment);
        World { aws, proxy, function }
    }

    fn run(&self) -> Value {
        self.function.invoke(&json!({})).unwrap_or_else(|error| panic!("{error:?}\n{}", self.function.log()))
    }

    fn files(&self) -> (usize, usize) {
        let keys = self.aws.keys("audit", "violations/");
        let merged = keys.iter().filter(|key| key.ends_with("-merged.parquet")).count();
        (merged, keys.len() - merged)
    }

    fn metric(&self, name: &str) -> f64 {
        self.aws.metric_sum(NAMESPACE, name, &[])
    }
}

/// A file with the first violation of the sample on that day; the third repeats the id of the second.
fn file(day: DateTime<Utc>, place: usize) -> Vec<u8> {
    let event: Value = serde_json::from_str(sample::EVENTS.lines().next().unwrap()).unwrap();
    let mut row = event["detail"]["violation"].clone();
    row["violation_id"] = json!(schemas::derived_id(&[&day.to_rfc3339(), &place.min(1).to_string()]));
    row["event_time"] = json!(day.format("%Y-%m-%dT%H:%M:%SZ").to_string());
    let rows = schemas::record_batch(&VIOLATIONS, &[row]).unwrap();
    lake::encode(&VIOLATIONS, &rows).unwrap().to_vec()
}

fn writes(call: &Call) -> bool {
    call.service == "s3" && call.operation == "PUT" && call.path.contains("-merged")
}

#[test]
fn each_day_becomes_one_file_and_its_inputs_go_an_hour_later() {
    let world = World::new();
    let first = world.run();
    assert_eq!(
        (&first["finished"], &first["files_merged"], &first["files_written"]),
        (&json!(true), &json!(6), &json!(2))
    );
    assert_eq!((&first["repeats_dropped"], &first["files_removed"]), (&json!(2), &json!(0)));
    assert_eq!(world.files(), (2, 6));
    assert_eq!(world.metric("CompactionFilesMerged"), 6.0);
    assert_eq!(world.metric("CompactionUnfinished"), 0.0);
    assert!(world.function.log().contains("compaction done"));

    assert_eq!((&world.run()["files_waiting"], world.files()), (&json!(6), (2, 6)));

    // As if an hour had passed.
    for key in world.aws.keys("audit", "compaction/") {
        let mut manifest: Value = serde_json::from_slice(&world.aws.object("audit", &key).unwrap()).unwrap();
        manifest["merged_at"] = json!(Utc::now() - TimeDelta::minutes(61));
        world.aws.put_object("audit", &key, manifest.to_string().as_bytes());
    }
    assert_eq!((&world.run()["files_removed"], world.files()), (&json!(6), (2, 0)));
    assert_eq!(world.aws.keys("audit", "compaction/"), Vec::<String>::new());
}

#[test]
fn a_day_that_the_store_refuses_fails_the_run_and_not_the_other_days_and_the_next_run_goes_on() {
    let world = World::new();
    let denied = "<Error><Code>AccessDenied</Code><Message>on plan</Message></Error>";
    world.proxy.fail(1, Fault::Status(403, denied.to_owned()), writes);
    let Err(FunctionError::Handler(error)) = world.function.invoke(&json!({})) else { panic!("it must fail") };
    assert!(error.to_string().contains("1 parts of the lake were not compacted"), "{error}");
    assert!(world.function.log().contains("not compacted, the next run tries again"));
    assert_eq!(world.files(), (1, 6));
    assert_eq!((&world.run()["files_merged"], world.files()), (&json!(3), (2, 6)));
}

#[test]
fn a_process_killed_at_any_write_leaves_a_lake_that_the_next_run_completes() {
    for is_written in [false, true] {
        let world = World::new();
        let killer = world.function.killer();
        let kill = Arc::new(move || killer.kill());
        let fault = if is_written { Fault::After(kill) } else { Fault::Before(kill) };
        world.proxy.fail(1, fault, writes);
        assert!(matches!(world.function.invoke(&json!({})), Err(FunctionError::Exited(_))));
        let next = world.run();
        assert!(next["finished"] == true && next["failed"] == 0, "{next}");
        assert_eq!(world.run()["files_merged"], 0);
        let keys = world.aws.keys("audit", "violations/");
        assert!(keys.iter().filter(|key| key.contains("-merged")).count() >= 2, "{keys:?}");
    }
}

#[test]
fn a_run_without_time_says_so_and_the_next_one_does_the_work() {
    let world = World::new();
    // Less than what it keeps for its answer and its metrics.
    let stopped = world.function.invoke_within(&json!({}), Duration::from_secs(14)).unwrap();
    assert_eq!(stopped["finished"], false, "{stopped}");
    assert_eq!(world.metric("CompactionUnfinished"), 1.0);
    assert_eq!(world.run()["finished"], true);
    assert_eq!(world.files().0, 2);
}

#[test]
fn a_request_that_it_does_not_know_is_refused() {
    let world = World::new();
    for request in [json!({"months": 0}), json!({"months": 241}), json!({"month": 3}), json!([])] {
        let answer = world.function.invoke(&request);
        assert!(matches!(answer, Err(FunctionError::Handler(_))), "{request}: {answer:?}");
    }
    assert_eq!(world.files(), (0, 6));
}
