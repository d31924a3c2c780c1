//! The four programs as Lambdas, real ones, against a stand-in for AWS that others wrote and a Slack that answers as the
//! test wants: 200, 429 with `Retry-After`, 400, 404, 500, or not at all.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests stop at the first surprise

use std::collections::{BTreeSet, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use local_aws::{Fault, Function, FunctionError, LocalAws, Proxy, Queue};
use serde_json::{Value, json};
use stream::notify::sample;

const SECRET: &str = "s3cr3tWebh00kPath";

/// How Slack answers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Ok,
    Wait(u64),
    Refuse(u16, &'static str),
    Hang,
}

/// A post, and how it was answered.
#[derive(Debug, Clone)]
struct Post {
    at: Instant,
    message: Value,
    answer: Answer,
}

/// A Slack of our own: takes posts, answers by plan, then 200.
#[derive(Clone)]
struct Slack {
    address: String,
    plan: Arc<Mutex<VecDeque<Answer>>>,
    posts: Arc<Mutex<Vec<Post>>>,
}

impl Slack {
    fn start() -> Slack {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let slack = Slack { address, plan: Arc::default(), posts: Arc::default() };
        let serving = slack.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let slack = serving.clone();
                std::thread::spawn(move || slack.serve(stream));
            }
        });
        slack
    }

    fn webhook(&self) -> String {
        format!("http://{}/services/{SECRET}", self.address)
    }

    fn plan(&self, answers: &[Answer]) {
        self.plan.lock().unwrap().extend(answers);
    }

    /// Messages that were taken.
    fn taken(&self) -> Vec<Value> {
        let posts = self.posts.lock().unwrap();
        posts.iter().filter(|post| post.answer == Answer::Ok).map(|post| post.message.clone()).collect()
    }

    fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }

    fn serve(&self, stream: TcpStream) {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        loop {
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                if line.trim().is_empty() {
                    break;
                }
                head.push(line.trim().to_owned());
            }
            let length =
                head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            let answer = self.plan.lock().unwrap().pop_front().unwrap_or(Answer::Ok);
            let message = serde_json::from_slice(&body).unwrap();
            self.posts.lock().unwrap().push(Post { at: Instant::now(), message, answer });
            let (status, header, text) = match answer {
                Answer::Ok => (200, String::new(), "ok"),
                Answer::Wait(seconds) => (429, format!("Retry-After: {seconds}\r\n"), "rate_limited"),
                Answer::Refuse(status, text) => (status, String::new(), text),
                Answer::Hang => {
                    std::thread::sleep(Duration::from_secs(120));
                    return;
                }
            };
            let answer = format!("HTTP/1.1 {status} x\r\n{header}Content-Length: {}\r\n\r\n{text}", text.len());
            if writer.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

fn samples() -> Vec<Value> {
    sample::EVENTS.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A batch of SQS messages, as the event source mapping hands it over.
fn batch(events: &[Value]) -> Value {
    let record = |(place, event): (usize, &Value)| json!({"messageId": format!("m{place}"), "eventSource": "aws:sqs", "body": event.to_string()});
    json!({"Records": events.iter().enumerate().map(record).collect::<Vec<_>>()})
}

fn failures(answer: &Value) -> Vec<String> {
    let list = answer["batchItemFailures"].as_array().unwrap();
    list.iter().map(|item| item["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

fn with(aws: &[(String, String)], more: &[(&str, &str)]) -> Vec<(String, String)> {
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    aws.iter().cloned().chain(more).collect()
}

/// Everything `slack_handler` needs.
fn slack_handler(aws: &LocalAws, environment: &[(String, String)], slack: &Slack, config: &str) -> Function {
    aws.create_bucket("audit");
    aws.create_bucket("rules");
    if !config.is_empty() {
        aws.put_object("rules", "notification-config.yaml", config.as_bytes());
    }
    put_webhook(aws, &slack.webhook());
    let settings = [
        ("AUDIT_BUCKET", "audit"),
        ("RULES_BUCKET", "rules"),
        ("SLACK_WEBHOOK_PARAMETER", "/monitor/slack"),
        ("CONFIG_REFRESH_SECONDS", "1"),
        ("DEBUG", "true"),
    ];
    Function::start(env!("CARGO_BIN_EXE_slack_handler"), &with(environment, &settings))
}

fn put_webhook(aws: &LocalAws, value: &str) {
    let put = json!({"Name": "/monitor/slack", "Type": "SecureString", "Value": value, "Overwrite": true});
    aws.json("AmazonSSM.PutParameter", &put);
}

/// Ends every window, however far ahead.
fn tick() -> Value {
    json!({"source": "aws.events", "detail-type": "Scheduled Event", "time": "2100-01-01T00:00:00Z", "detail": {}})
}

fn assert_no_secret(function: &Function) {
    let log = function.log();
    assert!(!log.is_empty() && !log.contains(SECRET), "{log}");
}

// The whole way.

#[test]
fn events_of_the_bus_reach_each_channel_once_though_each_is_delivered_three_times() {
    let aws = LocalAws::start();
    let slack = Slack::start();
    let slack_handler = slack_handler(&aws, &aws.environment(), &slack, "");
    let (topic, urgent) = (aws.create_topic("alerts"), aws.create_topic("urgent"));
    let (mail, pager) = (aws.create_queue("mail"), aws.create_queue("pager"));
    aws.subscribe(&topic, &mail);
    aws.subscribe(&urgent, &pager);
    create_firehose(&aws);
    let settings = [
        ("AUDIT_BUCKET", "audit"),
        ("SNS_TOPIC_ARN", topic.as_str()),
        ("SNS_PRIORITY_TOPIC_ARN", urgent.as_str()),
        ("FIREHOSE_STREAM_NAME", "audit-log"),
    ];
    let environment = with(&aws.environment(), &settings);
    let others = [
        Function::start(env!("CARGO_BIN_EXE_sns_publisher"), &environment),
        Function::start(env!("CARGO_BIN_EXE_metrics_publisher"), &environment),
        Function::start(env!("CARGO_BIN_EXE_audit_logger"), &environment),
    ];
    aws.create_bus("monitor");
    let queue = aws.create_queue("handlers");
    aws.route("monitor", &json!({"source": [{"prefix": "iam.policy."}]}), &queue);
    let mut events = samples();
    events[1]["detail"]["violation"]["severity"] = json!("MEDIUM");

    for delivery in 0..3 {
        put_events(&aws, &events);
        let arrived = wait_for(&aws, &queue, events.len());
        for function in others.iter().chain([&slack_handler]) {
            let answer = function
                .invoke(&batch(&arrived))
                .unwrap_or_else(|error| panic!("{delivery} {error:?} {}", function.log()));
            assert_eq!(failures(&answer), Vec::<String>::new(), "{delivery} {}", function.log());
        }
    }

    // One message each: two urgent ones, one other.
    let (mails, pages) = (aws.take_messages(&mail), aws.take_messages(&pager));
    assert_eq!((mails.len(), pages.len()), (1, 2), "{mails:?} {pages:?}");
    assert_eq!(mails[0]["Subject"], "[MEDIUM] AdminPolicyAttachment: AttachRolePolicy by Deploy in 222222222222");
    assert!(mails[0]["Message"].as_str().unwrap().contains("attached policy AdministratorAccess to role batch-runner"));
    assert_eq!(mails[0]["MessageAttributes"]["severity"]["Value"], "MEDIUM");
    assert_eq!(slack.taken().len(), 3);
    slack_handler.invoke(&tick()).unwrap();
    assert_eq!(slack.taken().len(), 3, "nothing is left to sum up");

    assert_each_is_counted_once(&aws);
    assert_each_is_a_row_once(&aws);
    assert_no_secret(&slack_handler);
}

fn assert_each_is_counted_once(aws: &LocalAws) {
    let metric = |name: &str, dimensions: &[(&str, &str)]| aws.metric_sum("IAMPolicyMonitor", name, dimensions);
    let by = [("Severity", "CRITICAL"), ("RuleName", "PrivilegeEscalationGranted")];
    assert_eq!(metric("ViolationCount", &by), 1.0);
    assert_eq!(metric("ViolationCount", &[("Severity", "MEDIUM"), ("AccountId", "222222222222")]), 1.0);
    assert_eq!(metric("RemediationSuccess", &[("Severity", "CRITICAL"), ("Action", "delete_inline_policy")]), 1.0);
    for name in ["SNSAlertsPublished", "SlackNotificationsSent", "AuditLogsWritten", "MetricsPublished"] {
        assert_eq!(metric(name, &[]), 3.0, "{name}");
    }
}

fn assert_each_is_a_row_once(aws: &LocalAws) {
    let rows = audit_rows(aws);
    let ids: BTreeSet<&str> = rows.iter().map(|row| row["event_id"].as_str().unwrap()).collect();
    assert_eq!((rows.len(), ids.len()), (3, 3));
    let columns: Vec<&str> = schemas::AUDIT_LOG.columns.iter().map(|column| column.name).collect();
    for row in &rows {
        assert_eq!(row.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>(), columns);
        assert!(serde_json::from_str::<Value>(row["detail"].as_str().unwrap()).is_ok());
    }
    let counted = query(
        aws,
        "SELECT rule_name, severity, COUNT(*) FROM audit_log WHERE status IS NULL AND CAST(timestamp AS TIMESTAMP) < \
         TIMESTAMP '2024-02-01' GROUP BY ALL ORDER BY rule_name",
    );
    assert_eq!(counted, json!([["AdminPolicyAttachment", "MEDIUM", 1], ["PrivilegeEscalationGranted", "CRITICAL", 1]]));
}

/// Asks DuckDB, which comes with the stand-in, over the objects that Firehose wrote.
fn query(aws: &LocalAws, sql: &str) -> Value {
    let folder = aws.folder().join("firehose");
    std::fs::create_dir_all(&folder).unwrap();
    for (place, key) in aws.keys("firehose", "audit_log/").iter().enumerate() {
        std::fs::write(folder.join(format!("{place}.json")), aws.object("firehose", key).unwrap()).unwrap();
    }
    let files = folder.join("*.json");
    let program = format!(
        "import duckdb, json\n\
         duckdb.sql(\"CREATE VIEW audit_log AS SELECT * FROM read_json('{}', format='newline_delimited')\")\n\
         print(json.dumps([list(row) for row in duckdb.sql(\"\"\"{sql}\"\"\").fetchall()]))",
        files.display()
    );
    let installed = concat!(env!("CARGO_MANIFEST_DIR"), "/../.venv/bin/ministack").to_owned();
    let ministack = std::env::var("MINISTACK_BIN").unwrap_or(installed);
    let python = std::path::Path::new(&ministack).with_file_name("python");
    let output = std::process::Command::new(python).args(["-c", &program]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn put_events(aws: &LocalAws, events: &[Value]) {
    let entry = |event: &Value| {
        json!({"EventBusName": "monitor", "Source": event["source"], "DetailType": event["detail-type"],
               "Detail": event["detail"].to_string()})
    };
    let reply = aws.json("AWSEvents.PutEvents", &json!({"Entries": events.iter().map(entry).collect::<Vec<_>>()}));
    assert_eq!(reply["FailedEntryCount"], 0, "{reply}");
}

fn wait_for(aws: &LocalAws, queue: &Queue, number: usize) -> Vec<Value> {
    let mut arrived = Vec::new();
    aws.wait_until("the bus has delivered", || {
        arrived.extend(aws.take_messages(queue));
        arrived.len() >= number
    });
    arrived
}

fn create_firehose(aws: &LocalAws) {
    aws.create_bucket("firehose");
    let destination = json!({"RoleARN": "arn:aws:iam::111111111111:role/firehose", "BucketARN": "arn:aws:s3:::firehose",
                             "Prefix": "audit_log/"});
    let stream = json!({"DeliveryStreamName": "audit-log", "DeliveryStreamType": "DirectPut",
                        "ExtendedS3DestinationConfiguration": destination});
    aws.json("Firehose_20150804.CreateDeliveryStream", &stream);
}

fn audit_rows(aws: &LocalAws) -> Vec<Value> {
    let mut rows = Vec::new();
    for key in aws.keys("firehose", "audit_log/") {
        let text = String::from_utf8(aws.object("firehose", &key).unwrap()).unwrap();
        rows.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    rows
}

#[test]
fn faults_of_the_system_itself_are_told_once_an_hour_and_each_is_a_row_of_the_audit_log() {
    let aws = LocalAws::start();
    let slack = Slack::start();
    let slack_handler = slack_handler(&aws, &aws.environment(), &slack, "");
    let (topic, mail) = (aws.create_topic("alerts"), aws.create_queue("mail"));
    aws.subscribe(&topic, &mail);
    create_firehose(&aws);
    let settings =
        [("AUDIT_BUCKET", "audit"), ("SNS_TOPIC_ARN", topic.as_str()), ("FIREHOSE_STREAM_NAME", "audit-log")];
    let environment = with(&aws.environment(), &settings);
    let sns_publisher = Function::start(env!("CARGO_BIN_EXE_sns_publisher"), &environment);
    let audit_logger = Function::start(env!("CARGO_BIN_EXE_audit_logger"), &environment);
    let event = |kind: &str, number: usize, part: &str, value: Value| {
        let detail = json!({"eventId": schemas::derived_id(&[kind, part, &number.to_string()]), "correlationId": "c",
            "timestamp": "2024-01-05T12:00:00Z", part: value});
        json!({"source": "iam.policy.monitor", "detail-type": kind, "detail": detail})
    };
    let failed = |rule: &str, number| {
        event("IAM Policy Rule Error", number, "ruleError", json!({"rule_name": rule, "reason": "it crashed"}))
    };
    let rejected = |fault: &str, number| {
        let value = json!({"files": "s3://config/rules.yaml", "faults": [fault], "inForce": "the last good one"});
        event("ConfigRejected", number, "configRejected", value)
    };
    let mut events: Vec<Value> = (0..40).map(|number| failed("First", number)).collect();
    events.extend([failed("Second", 40), rejected("line 3", 41), rejected("line 3", 42), rejected("line 4", 43)]);
    for function in [&slack_handler, &sns_publisher, &audit_logger] {
        let answer = function.invoke(&batch(&events)).unwrap_or_else(|error| panic!("{error:?} {}", function.log()));
        assert_eq!(failures(&answer), Vec::<String>::new(), "{}", function.log());
    }
    let subjects: BTreeSet<String> =
        aws.take_messages(&mail).iter().map(|mail| mail["Subject"].as_str().unwrap().to_owned()).collect();
    let expected = ["configuration rejected", "rule First fails", "rule Second fails"];
    assert_eq!(subjects, expected.map(|what| format!("[FAULT] {what} (IAM Policy Monitor)")).into());
    let told: Vec<String> = slack.taken().iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told.len(), 4, "two rules, two different rejections: {told:?}");
    assert!(told.iter().all(|text| text.starts_with("FAULT: ")), "{told:?}");
    slack_handler.invoke(&tick()).unwrap();
    assert_eq!(slack.taken().len(), 4, "nothing is left to sum up");
    let rows = audit_rows(&aws);
    let ids: BTreeSet<&str> = rows.iter().map(|row| row["event_id"].as_str().unwrap()).collect();
    assert_eq!((rows.len(), ids.len()), (events.len(), events.len()));
    assert!(rows.iter().any(|row| row["rule_name"] == "First" && row["severity"] == "HIGH"));
}

// Slack.

#[test]
fn d21_slack_that_is_busy_is_waited_for_and_one_that_fails_is_tried_again() {
    let aws = LocalAws::start();
    let slack = Slack::start();
    let function = slack_handler(&aws, &aws.environment(), &slack, "");
    slack.plan(&[Answer::Wait(2), Answer::Ok, Answer::Refuse(500, "oops"), Answer::Refuse(503, "oops"), Answer::Ok]);
    assert_eq!(failures(&function.invoke(&batch(&samples()[..2])).unwrap()), Vec::<String>::new());
    let posts = slack.posts();
    assert_eq!((posts.len(), slack.taken().len()), (5, 2));
    // A lower bound that the program promises: not before Slack allows it.
    assert!(posts[1].at - posts[0].at >= Duration::from_secs(2));
    assert_no_secret(&function);
}

#[test]
fn d21_a_message_that_slack_does_not_take_before_the_deadline_goes_back_to_the_queue_and_comes_again_once() {
    for stubborn in [Answer::Hang, Answer::Wait(u64::MAX), Answer::Refuse(500, "oops")] {
        let aws = LocalAws::start();
        let slack = Slack::start();
        let function = slack_handler(&aws, &aws.environment(), &slack, "");
        slack.plan(&[stubborn; 40]);
        let events = &samples()[..2];
        let answer =
            function.invoke_within(&batch(events), Duration::from_secs(9)).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(failures(&answer), ["m0", "m1"], "{stubborn:?}");
        // Directly invoked, it must fail: an answer would be taken for done.
        let direct = function.invoke_within(&events[0], Duration::from_secs(9));
        assert!(matches!(direct, Err(FunctionError::Handler(_))), "{stubborn:?} {direct:?}");
        slack.plan.lock().unwrap().clear();
        // Another process, which has not been told to wait.
        function.killer().kill();
        for _ in 0..2 {
            assert_eq!(failures(&function.invoke(&batch(events)).unwrap()), Vec::<String>::new(), "{}", function.log());
        }
        assert_eq!(slack.taken().len(), 2, "{stubborn:?}");
        assert_no_secret(&function);
    }
}

#[test]
fn a_process_killed_while_it_posts_loses_nothing() {
    let aws = LocalAws::start();
    let slack = Slack::start();
    let function = slack_handler(&aws, &aws.environment(), &slack, "");
    slack.plan(&[Answer::Hang]);
    let (killer, posts) = (function.killer(), slack.posts.clone());
    let watching = std::thread::spawn(move || {
        while posts.lock().unwrap().is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        killer.kill();
    });
    let killed = function.invoke_within(&batch(&samples()[..1]), Duration::from_secs(10));
    watching.join().unwrap();
    assert!(matches!(killed, Err(FunctionError::Exited(_))), "{killed:?}");
    // Its claim holds until its deadline and a little longer; so long the message comes back to the queue.
    let answer = function.invoke(&batch(&samples()[..1])).unwrap();
    assert_eq!(failures(&answer), ["m0"]);
    aws.wait_until("the claim has expired", || failures(&function.invoke(&batch(&samples()[..1])).unwrap()).is_empty());
    assert_eq!((slack.posts().len(), slack.taken().len()), (2, 1));
}

#[test]
fn two_processes_share_one_message_a_second_and_each_event_is_told_by_one_of_them() {
    let aws = LocalAws::start();
    let slack = Slack::start();
    let first = slack_handler(&aws, &aws.environment(), &slack, "slack: {storm: {individual: 9}}");
    let settings =
        [("AUDIT_BUCKET", "audit"), ("RULES_BUCKET", "rules"), ("SLACK_WEBHOOK_PARAMETER", "/monitor/slack")];
    let second = Function::start(env!("CARGO_BIN_EXE_slack_handler"), &with(&aws.environment(), &settings));
    let events: Vec<Value> = (0..6).map(storm_event).collect();
    std::thread::scope(|scope| {
        for function in [&first, &second] {
            scope.spawn(|| {
                // What the other one is at comes back until that is done.
                aws.wait_until("all is told", || failures(&function.invoke(&batch(&events)).unwrap()).is_empty());
            });
        }
    });
    assert_eq!(slack.taken().len(), events.len());
    assert_eq!(aws.keys("audit", "claims/slack-windows/second/").len(), events.len(), "each took a second of its own");
}

#[test]
fn the_command_line_posts_with_real_aws_and_tells_no_secret_at_any_level() {
    let aws = LocalAws::start();
    let slack = Slack::start();
    drop(slack_handler(&aws, &aws.environment(), &slack, ""));
    slack.plan(&[Answer::Ok, Answer::Refuse(500, "oops")]);
    let settings = [("USE_REAL_AWS", "true"), ("AUDIT_BUCKET", "audit"), ("SLACK_WEBHOOK_PARAMETER", "/monitor/slack")];
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_slack_handler"))
        .env_clear()
        .envs(with(&aws.environment(), &settings))
        .args(["--log-level", "trace"])
        .output()
        .unwrap();
    let (out, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(out, "3 events: 3 delivered; 0 summaries\n", "{log}");
    assert!(log.contains("input done") && !log.contains(SECRET), "{log}");
    assert_eq!(slack.taken().len(), 3);
}

#[test]
fn a_rotated_webhook_is_used_without_a_new_deployment() {
    let aws = LocalAws::start();
    let (old, new) = (Slack::start(), Slack::start());
    let function = slack_handler(&aws, &aws.environment(), &old, "");
    function.invoke(&batch(&samples()[..1])).unwrap();
    put_webhook(&aws, &json!({"default": new.webhook()}).to_string());
    old.plan(&[Answer::Refuse(404, "no_service"); 5]);
    assert_eq!(failures(&function.invoke(&batch(&samples()[1..2])).unwrap()), Vec::<String>::new());
    assert_eq!((old.taken().len(), new.taken().len()), (1, 1));
    assert_no_secret(&function);
}

#[test]
fn a_message_that_slack_never_takes_and_an_event_of_another_shape_are_dead_letters_and_the_rest_is_sent() {
    let aws = LocalAws::start();
    let slack = Slack::start();
    let function = slack_handler(&aws, &aws.environment(), &slack, "");
    slack.plan(&[Answer::Refuse(400, "invalid_blocks")]);
    let mut wrong = samples().remove(0);
    wrong["detail"]["violation"]["severity"] = json!("URGENT");
    let mut events = samples();
    events.insert(1, wrong);
    events.push(json!("no event"));
    assert_eq!(failures(&function.invoke(&batch(&events)).unwrap()), Vec::<String>::new());
    assert_eq!(slack.taken().len(), 2);
    let letters: Vec<Value> = aws
        .keys("audit", "dead-letters/")
        .iter()
        .map(|key| serde_json::from_slice(&aws.object("audit", key).unwrap()).unwrap())
        .collect();
    let mut reasons: Vec<&str> = letters.iter().map(|letter| letter["lastErrorMessage"].as_str().unwrap()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(reasons[0].contains("detail.violation unknown variant `URGENT`"), "{reasons:?}");
    assert!(reasons[1].contains("slack refuses the message with 400 invalid_blocks"), "{reasons:?}");
    assert!(reasons[2].contains("source is missing"), "{reasons:?}");
    assert_eq!(aws.metric_sum("IAMPolicyMonitor", "NotificationDeadLetters", &[]), 3.0);
    assert_no_secret(&function);
}

#[test]
fn two_thousand_events_through_the_real_program_are_few_messages_that_count_them_all() {
    let aws = LocalAws::start();
    let slack = Slack::start();
    // A window of a day, so that the run hardly crosses the end of one.
    let config = "slack: {channel: \"#alerts\", storm: {window_minutes: 1440}}";
    let function = slack_handler(&aws, &aws.environment(), &slack, config);
    let all = 2000;
    let storm: Vec<Value> = (0..all).map(storm_event).collect();
    for part in storm.chunks(100).chain(storm.chunks(100).take(2)) {
        assert_eq!(failures(&function.invoke(&batch(part)).unwrap()), Vec::<String>::new());
    }
    let before = slack.taken().len();
    // A broken file in place: the last good one stays in force.
    aws.put_object("rules", "notification-config.yaml", b"slack: {chanel: \"#x\"}");
    std::thread::sleep(Duration::from_millis(1100));
    for _ in 0..2 {
        function.invoke(&tick()).unwrap();
    }
    let taken = slack.taken();
    assert!(function.log().contains("did you mean \\\"channel\\\"?"), "{}", function.log());
    assert!(aws.metric_sum("IAMPolicyMonitor", "ConfigRejected", &[]) >= 1.0);
    assert!(taken.iter().all(|message| message["channel"] == "#alerts"));
    let counts: Vec<Option<usize>> = taken.iter().map(counted).collect();
    assert_eq!((before, counts), (1, vec![None, Some(all)]));
}

/// Events that a summary counts: `HIGH: 2,000 times: …`.
fn counted(message: &Value) -> Option<usize> {
    let (before, _) = message["text"].as_str()?.split_once(" times: ")?;
    before.rsplit(' ').next()?.replace(',', "").parse().ok()
}

fn storm_event(number: usize) -> Value {
    let mut entry = samples().remove(1);
    let account = format!("{:012}", 100_000_000_000_usize + number % 300);
    let id = schemas::derived_id(&["storm", &number.to_string()]).to_string();
    entry["detail"]["eventId"] = json!(id);
    let violation = &mut entry["detail"]["violation"];
    violation["violation_id"] = json!(id);
    violation["account_id"] = json!(account);
    violation["principal_account_id"] = json!(account);
    violation["principal_arn"] = json!(format!("arn:aws:sts::{account}:assumed-role/OrgAdmin/mallory"));
    entry
}

// AWS that fails.

#[test]
fn what_aws_does_not_take_comes_again_and_is_then_delivered_once() {
    let aws = LocalAws::start();
    let proxy = Proxy::start(&aws);
    aws.create_bucket("audit");
    create_firehose(&aws);
    let topic = aws.create_topic("alerts");
    let mail = aws.create_queue("mail");
    aws.subscribe(&topic, &mail);
    let settings =
        [("AUDIT_BUCKET", "audit"), ("SNS_TOPIC_ARN", topic.as_str()), ("FIREHOSE_STREAM_NAME", "audit-log")];
    let environment = with(&proxy.environment(), &settings);
    let programs = [
        (env!("CARGO_BIN_EXE_sns_publisher"), "sns"),
        (env!("CARGO_BIN_EXE_audit_logger"), "firehose"),
        (env!("CARGO_BIN_EXE_metrics_publisher"), "monitoring"),
    ];
    for (program, service) in programs {
        let function = Function::start(program, &environment);
        let down = Fault::Status(503, "{}".to_owned());
        proxy.fail(1000, down, move |call| call.service == service);
        let answer = function.invoke(&batch(&samples())).unwrap_or_else(|error| panic!("{service} {error:?}"));
        assert_eq!(failures(&answer), ["m0", "m1", "m2"], "{service} {}", function.log());
        proxy.heal();
        for _ in 0..2 {
            let answer = function.invoke(&batch(&samples())).unwrap();
            assert_eq!(failures(&answer), Vec::<String>::new(), "{service} {}", function.log());
        }
    }
    assert_eq!(aws.take_messages(&mail).len(), 3);
    assert_eq!(audit_rows(&aws).len(), 3);
    let by = [("Severity", "HIGH"), ("RuleName", "AdminPolicyAttachment")];
    assert_eq!(aws.metric_sum("IAMPolicyMonitor", "ViolationCount", &by), 1.0);
}

#[test]
fn rules_and_accounts_beyond_the_guard_are_counted_as_other() {
    let aws = LocalAws::start();
    aws.create_bucket("audit");
    let settings = [("AUDIT_BUCKET", "audit"), ("METRICS_MAX_DIMENSION_VALUES", "2")];
    let function = Function::start(env!("CARGO_BIN_EXE_metrics_publisher"), &with(&aws.environment(), &settings));
    let events: Vec<Value> = (0..10).map(storm_event).collect();
    assert_eq!(failures(&function.invoke(&batch(&events[..5])).unwrap()), Vec::<String>::new());
    // A new process knows the values in use.
    function.killer().kill();
    assert_eq!(failures(&function.invoke(&batch(&events[5..])).unwrap()), Vec::<String>::new());
    let sum = |account: &str| {
        aws.metric_sum("IAMPolicyMonitor", "ViolationCount", &[("Severity", "HIGH"), ("AccountId", account)])
    };
    assert_eq!((sum("100000000000"), sum("100000000001"), sum("100000000002"), sum("other")), (1.0, 1.0, 0.0, 8.0));
}

#[test]
fn each_protocol_of_a_topic_gets_its_own_form_when_asked_for() {
    let aws = LocalAws::start();
    aws.create_bucket("audit");
    let topic = aws.create_topic("alerts");
    let queue = aws.create_queue("pager");
    aws.subscribe(&topic, &queue);
    let settings = [("AUDIT_BUCKET", "audit"), ("SNS_TOPIC_ARN", topic.as_str()), ("SNS_MESSAGE_STRUCTURE", "json")];
    let function = Function::start(env!("CARGO_BIN_EXE_sns_publisher"), &with(&aws.environment(), &settings));
    function.invoke(&samples()[0]).unwrap();
    let messages = aws.take_messages(&queue);
    let facts: Value = serde_json::from_str(messages[0]["Message"].as_str().unwrap()).unwrap();
    assert_eq!((&facts["severity"], &facts["account_id"]), (&json!("CRITICAL"), &json!("111111111111")));
}
