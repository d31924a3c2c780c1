//! How long a program takes from its start to its first request for work, ten times, with the stand-in for AWS:
//! `cargo run -p local_aws --example first_poll -- target/lambda/detector config`

use std::time::Duration;

use local_aws::{Function, LocalAws};
use serde_json::json;

const STARTS: usize = 10;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: first_poll PROGRAM CONFIG_FOLDER";
    let (program, config) = (arguments.next().expect(usage), arguments.next().expect(usage));
    let aws = LocalAws::start();
    for bucket in ["config", "audit"] {
        aws.create_bucket(bucket);
    }
    for file in ["rules.yaml", "suppress.yaml"] {
        aws.put_object("config", file, &std::fs::read(format!("{config}/{file}")).expect(file));
    }
    let mut environment = aws.environment();
    let own = [("RULES_BUCKET", "config"), ("AUDIT_BUCKET", "audit"), ("EVENTBRIDGE_BUS_NAME", "default")];
    environment.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let mut times: Vec<Duration> = (0..STARTS)
        .map(|_| {
            let function = Function::start(&program, &environment);
            function.invoke(&json!({"Records": []})).unwrap_or_else(|reason| panic!("{reason:?}"));
            function.to_first_poll().expect("it has polled")
        })
        .collect();
    times.sort();
    println!(
        "{STARTS} starts: fastest {:?}, median {:?}, slowest {:?}",
        times[0],
        times[STARTS / 2],
        times[STARTS - 1]
    );
}
