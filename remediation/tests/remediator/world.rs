//! One small AWS for one test: two accounts, buckets, bus, queue, and the remediator between them.

use std::process::Command;

use arrow::json::LineDelimitedWriter;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use uuid::Uuid;

use local_aws::{Call, Function, LocalAws, Proxy, Queue};

pub(crate) const OWN: &str = "111111111111";
pub(crate) const MEMBER: &str = "222222222222";
pub(crate) const AUDIT: &str = "audit";
pub(crate) const SNAPSHOTS: &str = "snapshots";
pub(crate) const BUS: &str = "security";
pub(crate) const ROLE: &str = "IamPolicyRemediator";
pub(crate) const GOOD: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
pub(crate) const BAD: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
pub(crate) const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// Allows everything, limits nothing.
pub(crate) fn config() -> Value {
    json!({
        "dry_run": false,
        "allowed_actions": ["detach_policy", "delete_policy", "delete_inline_policy", "quarantine_policy",
            "revert_policy_version", "restore_trust_policy", "restore_boundary", "deactivate_access_key",
            "remove_from_group"],
        "rate_limits": {"actions_per_minute": 1000, "actions_per_hour": 10000},
        "circuit_breaker": {"failures": 1000},
    })
}

/// Everything around the remediator.
pub(crate) struct World {
    pub(crate) aws: LocalAws,
    pub(crate) told: Queue,
    pub(crate) repairs: Queue,
}

/// One instance of the remediator, with a proxy of its own.
pub(crate) struct Instance {
    pub(crate) proxy: Proxy,
    pub(crate) function: Function,
    environment: Vec<(String, String)>,
}

impl World {
    pub(crate) fn new(config: &Value) -> World {
        World::on(LocalAws::start(), config)
    }

    /// On a stand-in that was started otherwise than usual.
    pub(crate) fn on(aws: LocalAws, config: &Value) -> World {
        for bucket in ["config", AUDIT, SNAPSHOTS] {
            aws.create_bucket(bucket);
        }
        aws.put_object("config", "remediator-config.json", config.to_string().as_bytes());
        aws.create_bus(BUS);
        let told = aws.create_queue("told");
        aws.route(BUS, &json!({"source": ["iam.policy.remediator"]}), &told);
        let repairs = aws.create_queue("repairs");
        World { aws, told, repairs }
    }

    /// An instance, with further variables or others than usual; an empty one is left out.
    pub(crate) fn instance(&self, changes: &[(&str, &str)]) -> Instance {
        let proxy = Proxy::start(&self.aws);
        let usual = [
            ("RULES_BUCKET", "config"),
            ("AUDIT_BUCKET", AUDIT),
            ("SNAPSHOT_BUCKET", SNAPSHOTS),
            ("EVENTBRIDGE_BUS_NAME", BUS),
            ("REMEDIATION_ROLE_NAME", ROLE),
            ("REMEDIATION_EXTERNAL_ID", "shared-secret"),
            ("DRY_RUN", "false"),
            ("ENABLE_REMEDIATION", "true"),
        ];
        let mut environment = proxy.environment();
        environment.extend(usual.map(|(name, value)| (name.to_owned(), value.to_owned())));
        for (name, value) in changes {
            environment.retain(|(other, _)| other != name);
            environment.push(((*name).to_owned(), (*value).to_owned()));
        }
        environment.retain(|(_, value)| !value.is_empty());
        let function = Function::start(env!("CARGO_BIN_EXE_remediator"), &environment);
        Instance { proxy, function, environment }
    }

    /// Everything the bus has told since the last time.
    pub(crate) fn heard(&self) -> Vec<Value> {
        self.aws.take_messages(&self.told)
    }

    /// Waits for so many status events; returns all that came.
    pub(crate) fn hear(&self, count: usize) -> Vec<Value> {
        let mut heard = Vec::new();
        self.aws.wait_until("the bus has told it", || {
            heard.extend(self.heard());
            heard.len() >= count
        });
        heard
    }

    /// All rows of `remediation_logs`, repeats included.
    pub(crate) fn rows(&self) -> Vec<Value> {
        let mut rows = Vec::new();
        for key in self.aws.keys(AUDIT, "remediation_logs/") {
            let object = Bytes::from(self.aws.object(AUDIT, &key).expect("the object"));
            let reader = ParquetRecordBatchReaderBuilder::try_new(object).expect("Parquet").build().expect("Parquet");
            for batch in reader {
                let batch = batch.expect("a batch");
                // The writer knows no time zone by its name.
                let is_time = |place: &usize| {
                    matches!(batch.schema().field(*place).data_type(), arrow::datatypes::DataType::Timestamp(..))
                };
                let places: Vec<usize> = (0..batch.num_columns()).filter(|place| !is_time(place)).collect();
                let mut writer = LineDelimitedWriter::new(Vec::new());
                writer.write(&batch.project(&places).expect("columns")).expect("JSON");
                writer.finish().expect("JSON");
                let text = String::from_utf8(writer.into_inner()).expect("UTF-8");
                rows.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")));
            }
        }
        rows
    }

    pub(crate) fn rows_of(&self, violation_id: &str) -> Vec<Value> {
        self.rows().into_iter().filter(|row| row["violation_id"] == violation_id).collect()
    }

    /// An IAM call of an account; `pairs` after the action.
    pub(crate) fn iam(&self, account: &str, action: &str, pairs: &[(&str, &str)]) -> local_aws::Reply {
        self.aws.iam(account, &[&[("Action", action)], pairs].concat())
    }

    /// A user with an inline policy that must go, and the message that asks for it.
    pub(crate) fn inline(&self, account: &str, user: &str) -> Value {
        self.iam(account, "CreateUser", &[("UserName", user)]);
        self.put_inline(account, user);
        message(account, user, json!({}))
    }

    pub(crate) fn put_inline(&self, account: &str, user: &str) {
        self.iam(
            account,
            "PutUserPolicy",
            &[("UserName", user), ("PolicyName", "deploy-helper"), ("PolicyDocument", BAD)],
        );
    }

    pub(crate) fn has_inline(&self, account: &str, user: &str) -> bool {
        let listed = self.iam(account, "ListUserPolicies", &[("UserName", user)]);
        listed.text().contains("deploy-helper")
    }
}

/// The message of the direct form about an inline policy of a user, with other columns where `changes` says so.
pub(crate) fn message(account: &str, user: &str, changes: Value) -> Value {
    let mut message: Value = serde_json::from_str(include_str!("../../src/sample.json")).expect("JSON");
    let event_id = format!("event-{account}-{user}-{}", changes["remediation_action"]);
    let arn = format!("arn:aws:iam::{account}:user/{user}");
    let own = json!({
        "event_id": event_id, "account_id": account, "target_name": user, "target_arn": arn, "policy_document": BAD,
        "principal_arn": format!("arn:aws:iam::{account}:user/mallory"),
    });
    for changes in [&own, &changes] {
        for (key, value) in changes.as_object().expect("an object") {
            message["violation"][key] = value.clone();
        }
    }
    let rule = message["violation"]["rule_name"].as_str().expect("a rule").to_owned();
    let event_id = message["violation"]["event_id"].as_str().expect("an id").to_owned();
    message["violation"]["violation_id"] = json!(schemas::violation_id(account, &event_id, &rule));
    if let Some(action) = changes.get("remediation_action") {
        message["remediation_action"] = action.clone();
    } else {
        message["violation"]["remediation_action"] = message["remediation_action"].clone();
    }
    message
}

pub(crate) fn violation_id(message: &Value) -> String {
    message["violation"]["violation_id"].as_str().expect("an id").to_owned()
}

/// A batch as the queue hands it over.
pub(crate) fn batch<'m>(bodies: impl IntoIterator<Item = &'m Value>) -> Value {
    let record = |(place, body): (usize, &Value)| {
        let text = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        let attributes = json!({"ApproximateReceiveCount": "1", "SentTimestamp": "1704456190000"});
        json!({"messageId": format!("m{place}"), "body": text, "attributes": attributes})
    };
    json!({"Records": bodies.into_iter().enumerate().map(record).collect::<Vec<_>>()})
}

/// A field of a form.
pub(crate) fn form(body: &[u8], name: &str) -> String {
    let text = String::from_utf8_lossy(body).into_owned();
    let field = text.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap_or_default().to_owned();
    percent_encoding::percent_decode_str(&field.replace('+', " ")).decode_utf8().unwrap().into_owned()
}

pub(crate) fn is_change(call: &Call) -> bool {
    call.service == "iam" && !call.operation.starts_with("Get") && !call.operation.starts_with("List")
}

impl Instance {
    /// The places of the messages that were handed back.
    pub(crate) fn deliver<'m>(&self, bodies: impl IntoIterator<Item = &'m Value>) -> Vec<usize> {
        let answer = self.function.invoke(&batch(bodies));
        let answer = answer.unwrap_or_else(|error| panic!("{error:?}\n{}", self.function.log()));
        let failures = answer["batchItemFailures"].as_array().expect("a list");
        let place = |failure: &Value| failure["itemIdentifier"].as_str()?.strip_prefix('m')?.parse().ok();
        failures.iter().map(|failure| place(failure).expect("an id")).collect()
    }

    /// Every call that would change IAM.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.proxy.calls().iter().filter(|call| is_change(call)).map(|call| call.operation.clone()).collect()
    }

    /// The command line of the same program, on the same AWS: whether it succeeded, and what it wrote.
    pub(crate) fn command(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_remediator"))
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("USE_REAL_AWS", "true")
            .output()
            .expect("the program runs");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), text)
    }

    pub(crate) fn undo(&self, id: &str) -> String {
        let (is_done, text) = self.command(&["undo", id, "--apply"]);
        assert!(is_done, "{text}");
        text
    }
}

/// Ids of status events, each once.
pub(crate) fn ids(heard: &[Value]) -> std::collections::BTreeSet<Uuid> {
    heard.iter().map(|event| event["detail"]["eventId"].as_str().expect("an id").parse().expect("a UUID")).collect()
}
