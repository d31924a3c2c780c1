//! One small AWS for one test: stream, buckets, bus, queue, and the detector between them.

use std::collections::BTreeSet;

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use uuid::Uuid;

use local_aws::{ACCOUNT, Call, Function, FunctionError, LocalAws, Mapping, Proxy, Queue, Record, kinesis_event};

use crate::records::event_id;

pub(crate) const STREAM: &str = "cloudtrail";
pub(crate) const AUDIT: &str = "audit";
pub(crate) const BUS: &str = "security";
pub(crate) const RULES: &str = include_str!("rules.yaml");

/// Everything around the detector.
pub(crate) struct World {
    pub(crate) aws: LocalAws,
    pub(crate) proxy: Proxy,
    pub(crate) function: Function,
    /// Gets every entry of the bus.
    pub(crate) told: Queue,
    heard: Vec<Value>,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(&[])
    }

    /// With further variables for the detector.
    pub(crate) fn with(more: &[(&str, &str)]) -> World {
        World::prepared(more, |_| Vec::new())
    }

    /// With variables that name things made first.
    pub(crate) fn prepared(
        more: &[(&str, &str)],
        prepare: impl FnOnce(&LocalAws) -> Vec<(&'static str, String)>,
    ) -> World {
        let aws = LocalAws::start();
        for bucket in ["config", AUDIT] {
            aws.create_bucket(bucket);
        }
        aws.put_object("config", "rules.yaml", RULES.as_bytes());
        aws.put_object("config", "suppress.yaml", include_bytes!("suppress.yaml"));
        aws.create_bus(BUS);
        let told = aws.create_queue("told");
        aws.route(BUS, &json!({"source": ["iam.policy.monitor"]}), &told);
        let made = prepare(&aws);
        let proxy = Proxy::start(&aws);
        let own = [("RULES_BUCKET", "config"), ("AUDIT_BUCKET", AUDIT), ("EVENTBRIDGE_BUS_NAME", BUS)];
        let mut environment = proxy.environment();
        let given = own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        environment.extend(given);
        environment.extend(made.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let function = Function::start(env!("CARGO_BIN_EXE_detector"), &environment);
        World { aws, proxy, function, told, heard: Vec::new() }
    }

    /// A batch of these records, in one invocation.
    pub(crate) fn invoke(&self, records: &[Record]) -> Result<Value, FunctionError> {
        self.function.invoke(&kinesis_event(STREAM, records))
    }

    /// A batch that must be done at once.
    pub(crate) fn deliver(&self, records: &[Record]) {
        let answer = self.invoke(records).expect("the detector answers");
        assert_eq!(answer, json!({"batchItemFailures": []}), "{}", self.function.log());
    }

    /// The event source mapping with the settings that Terraform deploys, on records that it was given.
    pub(crate) fn mapping(&self, records: &[Record]) -> local_aws::Drained {
        let mapping = Mapping { bisect: true, maximum_retry_attempts: Some(5), ..Mapping::default() };
        let drained = mapping.run(STREAM, records, |event| self.function.invoke(event));
        assert!(drained.failed.is_empty(), "given up: {:?}\n{}", drained.failed, self.function.log());
        drained
    }

    /// Ids of all rows of `violations`, repeats included.
    pub(crate) fn rows(&self) -> Vec<Uuid> {
        self.column("violation_id").iter().map(|id| id.parse().expect("an id")).collect()
    }

    /// A column of text of all rows of `violations`; empty for null.
    pub(crate) fn column(&self, name: &str) -> Vec<String> {
        self.column_of("violations", name)
    }

    /// The same of `iam_events`.
    pub(crate) fn event_column(&self, name: &str) -> Vec<String> {
        self.column_of("iam_events", name)
    }

    fn column_of(&self, table: &str, name: &str) -> Vec<String> {
        let mut values = Vec::new();
        for key in self.aws.keys(AUDIT, &format!("{table}/")) {
            let object = Bytes::from(self.aws.object(AUDIT, &key).expect("the object"));
            let reader = ParquetRecordBatchReaderBuilder::try_new(object).expect("Parquet").build().expect("Parquet");
            for batch in reader {
                let batch = batch.expect("a batch");
                let column = batch.column_by_name(name).expect("the column");
                let text = arrow::array::cast::AsArray::as_string::<i32>(column);
                values.extend(text.iter().map(|value| value.unwrap_or_default().to_owned()));
            }
        }
        values
    }

    /// Everything the bus has told so far.
    pub(crate) fn heard(&mut self) -> &[Value] {
        self.heard.extend(self.aws.take_messages(&self.told));
        &self.heard
    }

    /// Ids of the violations told so far, each once.
    pub(crate) fn told(&mut self) -> BTreeSet<Uuid> {
        let violations = self.heard().iter().filter(|entry| entry["detail-type"] == "IAM Policy Violation");
        violations
            .map(|entry| entry["detail"]["eventId"].as_str().and_then(|id| id.parse().ok()).expect("an id"))
            .collect()
    }

    /// The dead letters, as documents.
    pub(crate) fn letters(&self) -> Vec<Value> {
        let keys = self.aws.keys(AUDIT, "dead-letters/");
        let letter =
            |key: &String| serde_json::from_slice(&self.aws.object(AUDIT, key).expect("the letter")).expect("JSON");
        keys.iter().map(letter).collect()
    }

    /// The log lines that sum up a batch.
    pub(crate) fn batches(&self) -> Vec<Value> {
        let log = self.function.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["message"] == "batch done").collect()
    }

    /// Each expected violation is in the lake and was on the bus, nothing else is, and the books of every batch balance.
    pub(crate) fn assert_nothing_lost(&mut self, expected: &BTreeSet<Uuid>) {
        let rows: BTreeSet<Uuid> = self.rows().into_iter().collect();
        assert_eq!(&rows, expected, "rows of the lake\n{}", self.function.log());
        let aws_begun = std::time::Instant::now();
        while &self.told() != expected && aws_begun.elapsed().as_secs() < 10 {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(&self.told(), expected, "entries of the bus\n{}", self.function.log());
        self.assert_balance();
    }

    pub(crate) fn assert_balance(&self) {
        let count = |line: &Value, name: &str| line[name].as_u64().unwrap_or_else(|| panic!("{name} in {line}"));
        for line in self.batches() {
            let sum = |names: &[&str]| names.iter().map(|name| count(&line, name)).sum::<u64>();
            assert_eq!(sum(&["records_received"]), sum(&["records_in", "records_handed_back"]), "{line}");
            assert_eq!(sum(&["records_in"]), sum(&["records_read", "dead_letters"]), "{line}");
            assert_eq!(sum(&["events_in"]), sum(&["duplicates", "not_of_interest", "judged"]), "{line}");
            assert_eq!(sum(&["violations"]), sum(&["reported", "suppressed"]), "{line}");
        }
    }
}

/// Records with these contents, numbered from 1.
pub(crate) fn records(contents: &[Vec<u8>]) -> Vec<Record> {
    (1..).zip(contents).map(|(number, content)| Record::new(number, content)).collect()
}

/// The id of the violation of a rule by an event of that number.
pub(crate) fn id(number: u32, rule: &str) -> Uuid {
    schemas::violation_id(ACCOUNT, &event_id(number), rule)
}

/// The ids of `AdminInline` by these events.
pub(crate) fn admin_ids(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<Uuid> {
    numbers.into_iter().map(|number| id(number, "AdminInline")).collect()
}

/// Calls that write objects under a prefix of the lake.
pub(crate) fn writes(prefix: &'static str) -> impl Fn(&Call) -> bool + Send {
    move |call| call.service == "s3" && call.operation == "PUT" && call.path.starts_with(&format!("/{AUDIT}/{prefix}"))
}

/// Calls of one operation.
pub(crate) fn operation(name: &'static str) -> impl Fn(&Call) -> bool + Send {
    move |call| call.operation == name
}
