//! `detector poll` and `replay`: the same records without a Lambda, and once more.

use std::path::Path;
use std::process::{Command, Output};

use local_aws::{Fault, Mapping};
use serde_json::json;

use crate::records::{admin_inline, bytes, harmless, log_file, omitted_inline};
use crate::world::{AUDIT, BUS, STREAM, World, admin_ids, operation};

/// Runs a program with AWS behind the proxy.
fn command(world: &World, program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(world.proxy.environment())
        .envs([("RULES_BUCKET", "config"), ("AUDIT_BUCKET", AUDIT), ("EVENTBRIDGE_BUS_NAME", BUS)])
        .env("USE_REAL_AWS", "true")
        .output()
        .expect("the program starts");
    assert!(matches!(output.status.code(), Some(0 | 3)), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn poll(world: &World, checkpoint: &Path) {
    let file = checkpoint.to_str().expect("a name");
    let detector = env!("CARGO_BIN_EXE_detector");
    command(world, detector, &["poll", "--stream", STREAM, "--checkpoint", file, "--until-idle", "1"]);
}

fn replay(world: &World, arguments: &[&str]) -> String {
    let output = command(world, env!("CARGO_BIN_EXE_replay"), arguments);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn poll_does_what_the_lambda_does_and_goes_on_where_it_was() {
    let mut world = World::new();
    world.aws.create_stream(STREAM, 2);
    let checkpoint = world.aws.folder().join("checkpoint.json");
    let put = |from: u32, to: u32| {
        let contents: Vec<(String, Vec<u8>)> =
            (from..=to).map(|number| (number.to_string(), bytes(&admin_inline(number)))).collect();
        let keyed: Vec<(&str, Vec<u8>)> = contents.iter().map(|(key, data)| (key.as_str(), data.clone())).collect();
        world.aws.put_records(STREAM, &keyed);
    };
    put(1, 20);
    poll(&world, &checkpoint);
    let first = world.rows().len();
    assert_eq!(first, 20);
    put(21, 25);
    // The first answer of the bus is a refusal of everything for longer than the detector tries: handed back, then done.
    world.proxy.fail(5, Fault::Status(500, String::new()), operation("PutEvents"));
    poll(&world, &checkpoint);
    let rows = world.rows();
    assert_eq!(rows.len(), 25, "what was done before the checkpoint is not done again");
    world.assert_nothing_lost(&admin_ids(1..=25));
}

#[test]
fn dead_letters_go_back_into_the_stream_and_are_judged_again() {
    let mut world = World::new();
    world.aws.create_stream(STREAM, 1);
    // An event whose policy could not be looked up, stored by an earlier run; the policy has become readable since.
    let letter = json!({"attemptsMade": 1, "lastErrorCode": "look_up_failed", "lastErrorMessage": "m",
        "rawData": base64(&bytes(&admin_inline(1))), "truncated": false});
    let other = json!({"lastErrorCode": "not_json", "rawData": base64(b"junk"), "truncated": false});
    world.aws.put_object(AUDIT, "dead-letters/2024-01-05/a.json", letter.to_string().as_bytes());
    world.aws.put_object(AUDIT, "dead-letters/2024-01-05/b.json", other.to_string().as_bytes());
    world.aws.put_object(AUDIT, "dead-letters/2024-01-09/c.json", letter.to_string().as_bytes());
    let range = ["dead-letters", "--from", "2024-01-05", "--to", "2024-01-06", "--reason", "look_up_failed"];
    let told = replay(&world, &[&range[..], &["--stream", STREAM]].concat());
    assert_eq!(told, "1 records of 2 objects went to cloudtrail; 0 parts could not be fed\n");
    drain(&world);
    world.assert_nothing_lost(&admin_ids([1]));
}

#[test]
fn what_lambda_gave_up_is_fed_again_from_its_bucket() {
    let mut world = World::new();
    world.aws.create_stream(STREAM, 1);
    world.aws.create_bucket("failed");
    let contents: Vec<(&str, Vec<u8>)> = (1..=4).map(|number| ("k", bytes(&admin_inline(number)))).collect();
    world.aws.put_records(STREAM, &contents);
    let gives_up =
        Mapping { maximum_retry_attempts: Some(0), on_failure: Some("failed".to_owned()), ..Mapping::default() };
    world.proxy.fail(usize::MAX, Fault::Status(500, String::new()), operation("PutEvents"));
    assert_eq!(gives_up.drain(&world.aws, STREAM, |event| world.function.invoke(event)).failed.len(), 1);
    world.proxy.heal();
    world.aws.json("Kinesis_20131202.DeleteStream", &json!({"StreamName": STREAM}));
    world.aws.create_stream("again", 1);
    let told = replay(&world, &["failed", "s3://failed/aws/lambda", "--stream", "again"]);
    assert!(told.starts_with("4 records of 1 objects"), "{told}");
    Mapping::default().drain(&world.aws, "again", |event| world.function.invoke(event));
    world.assert_nothing_lost(&admin_ids(1..=4));
}

#[test]
fn files_are_fed_event_by_event_only_failed_records_again_and_a_stopped_replay_goes_on() {
    let world = World::new();
    world.aws.create_stream(STREAM, 1);
    let folder = world.aws.folder().join("logs");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("1.json.gz"), log_file(&[admin_inline(1), harmless(2), omitted_inline(3)])).unwrap();
    std::fs::write(folder.join("2.json"), bytes(&json!({"Records": [admin_inline(4), {"no": "event"}]}))).unwrap();
    let state = world.aws.folder().join("state.json");
    let (folder, state) = (folder.to_str().unwrap(), state.to_str().unwrap());
    let arguments = ["files", folder, "--stream", STREAM, "--state", state];
    world.proxy.fail(
        1,
        Fault::Entries(vec![1], "ProvisionedThroughputExceededException".to_owned()),
        operation("PutRecords"),
    );
    let told = replay(&world, &arguments);
    assert_eq!(told, "4 records of 2 objects went to cloudtrail; 1 parts could not be fed\n");
    let sent: Vec<usize> =
        world.proxy.calls_of("kinesis", "PutRecords").iter().map(|call| entries(&call.body)).collect();
    assert_eq!(sent, [3, 1, 1], "three of the first file, the failed one again, one of the second");
    assert_eq!(world.aws.shards(STREAM)[0].len(), 4);
    assert!(replay(&world, &arguments).starts_with("0 records"), "all was fed");
}

#[test]
fn a_replay_that_is_killed_goes_on_inside_the_file_and_the_rate_bounds_each_call() {
    let world = World::new();
    world.aws.create_stream(STREAM, 1);
    let file = world.aws.folder().join("five.json.gz");
    let events: Vec<serde_json::Value> = (1..=5).map(admin_inline).collect();
    std::fs::write(&file, log_file(&events)).unwrap();
    let state = world.aws.folder().join("state.json");
    let arguments =
        ["files", file.to_str().unwrap(), "--stream", STREAM, "--rate", "2", "--state", state.to_str().unwrap()];
    let child = std::sync::Arc::new(std::sync::Mutex::new(None::<std::process::Child>));
    let killed = child.clone();
    let kill = std::sync::Arc::new(move || {
        if let Some(child) = killed.lock().unwrap().as_mut() {
            child.kill().unwrap();
        }
    });
    world.proxy.fail_after(1, 1, Fault::Before(kill), operation("PutRecords"));
    let spawned = Command::new(env!("CARGO_BIN_EXE_replay"))
        .args(arguments)
        .env_clear()
        .envs(world.proxy.environment())
        .env("USE_REAL_AWS", "true")
        .spawn()
        .unwrap();
    *child.lock().unwrap() = Some(spawned);
    local_aws::wait_until("it is killed", || {
        child.lock().unwrap().as_mut().is_some_and(|child| child.try_wait().unwrap().is_some())
    });
    assert_eq!(world.aws.shards(STREAM)[0].len(), 2, "the first call was taken");
    assert_eq!(
        replay(&world, &arguments),
        format!("3 records of 1 objects went to {STREAM}; 0 parts could not be fed\n")
    );
    let sent: Vec<usize> =
        world.proxy.calls_of("kinesis", "PutRecords").iter().map(|call| entries(&call.body)).collect();
    assert_eq!(sent, [2, 2, 2, 1], "never more than the rate; the second call was not taken and made again");
    assert_eq!(world.aws.shards(STREAM)[0].len(), 5, "each once");
}

fn drain(world: &World) {
    let drained = Mapping::default().drain(&world.aws, STREAM, |event| world.function.invoke(event));
    assert!(drained.failed.is_empty());
}

fn entries(body: &[u8]) -> usize {
    serde_json::from_slice::<serde_json::Value>(body).unwrap()["Records"].as_array().unwrap().len()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(bytes)
}
