//! The environment: the only place that reads it, once, at the start. [`SETTINGS`] is the list that the README shows.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::time::Duration;

/// One variable of the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What holds without it; empty when nothing does.
    pub default: &'static str,
    /// The programs that read it.
    pub programs: &'static str,
    /// What it is for.
    pub meaning: &'static str,
}

/// Every variable that the programs read, besides those of the AWS SDK (`AWS_REGION`, `AWS_ENDPOINT_URL`, …) and of
/// Lambda. The table in the README is this list; a test compares them.
pub const SETTINGS: &[Setting] = &[
    setting(
        "RULES_BUCKET",
        "",
        "detector, slack_handler",
        "Bucket, `s3://bucket/prefix` or folder of the configuration files.",
    ),
    setting("RULES_KEY", "rules.yaml", "detector", "Key of the rules in it."),
    setting("SUPPRESS_KEY", "suppress.yaml", "detector", "Key of the suppressions in it; the file may be missing."),
    setting(
        "CONFIG_REFRESH_SECONDS",
        "60",
        "detector, slack_handler",
        "How often to look whether those files have changed.",
    ),
    setting(
        "AUDIT_BUCKET",
        "",
        "detector, handlers, remediator, compactor, replay",
        "Bucket, `s3://bucket/prefix` or folder of the lake, dead letters and claims.",
    ),
    setting("EVENTBRIDGE_BUS_NAME", "", "detector, remediator", "Name or ARN of the bus."),
    setting(
        "USE_EVENTBRIDGE",
        "true",
        "detector, remediator",
        "`false` sends straight to SNS_TOPIC_ARN and SQS_QUEUE_URL instead of the bus.",
    ),
    setting(
        "BUS_ENTRY_MAX_BYTES",
        "262144",
        "detector, remediator",
        "Largest bus entry, and total of one PutEvents call; newer EventBridge quotas allow 1048576.",
    ),
    setting(
        "SNS_TOPIC_ARN",
        "",
        "detector, sns_publisher",
        "Topic of notifications; for the detector the way out when the bus is down.",
    ),
    setting(
        "SQS_QUEUE_URL",
        "",
        "detector, remediator",
        "Queue of the remediator; for the detector the way out when the bus is down.",
    ),
    setting(
        "READ_ROLE_NAME",
        "",
        "detector",
        "Role to assume in member accounts for reading policies; without it only the detector's own account is read.",
    ),
    setting("READ_ROLE_EXTERNAL_ID", "", "detector", "External id for that role."),
    setting(
        "SLACK_WEBHOOK_PARAMETER",
        "",
        "slack_handler",
        "SSM parameter (SecureString) that holds the webhook address.",
    ),
    setting(
        "NOTIFICATION_CONFIG_KEY",
        "notification-config.yaml",
        "slack_handler",
        "Key in RULES_BUCKET of what Slack is told, where and how; the file may be missing.",
    ),
    setting(
        "SNS_PRIORITY_TOPIC_ARN",
        "",
        "sns_publisher",
        "Topic for HIGH, CRITICAL and failed repairs instead of SNS_TOPIC_ARN.",
    ),
    setting(
        "SNS_MESSAGE_STRUCTURE",
        "text",
        "sns_publisher",
        "`json` sends each protocol its own form: text by e-mail, one line by SMS, JSON to pagers and queues.",
    ),
    setting(
        "FIREHOSE_STREAM_NAME",
        "",
        "audit_logger",
        "Firehose stream of the audit log; without it AUDIT_BUCKET is written.",
    ),
    setting(
        "METRICS_MAX_DIMENSION_VALUES",
        "500",
        "metrics_publisher",
        "Rules, and accounts, with metrics of their own; all further ones are counted as `other`.",
    ),
    setting(
        "COMPACT_MONTHS",
        "3",
        "compactor",
        "Months of the lake that a run goes through, this one included; at most 240.",
    ),
    setting("METRICS_NAMESPACE", "IAMPolicyMonitor", "all", "CloudWatch namespace."),
    setting(
        "ALLOWED_ACTIONS",
        "",
        "remediator",
        "Repairs that may be made, separated by commas; narrows the list of the configuration file.",
    ),
    setting("DRY_RUN", "true", "remediator", "`false` lets repairs be made."),
    setting("ENABLE_REMEDIATION", "false", "remediator", "`true` lets the remediator act at all."),
    setting("USE_REAL_AWS", "false", "all", "`true` lets a command-line run use AWS; Lambdas always do."),
    setting("DEBUG", "false", "all", "`true` writes debug lines to the log."),
];

const fn setting(name: &'static str, default: &'static str, programs: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, programs, meaning }
}

/// What the environment says, checked. An unset variable and an empty one are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `RULES_BUCKET`, as a location that [`lake::Lake::open`] takes.
    pub rules_location: Option<String>,
    /// `RULES_KEY`.
    pub rules_key: String,
    /// `SUPPRESS_KEY`.
    pub suppress_key: String,
    /// `CONFIG_REFRESH_SECONDS`.
    pub config_refresh: Duration,
    /// `AUDIT_BUCKET`, as a location that [`lake::Lake::open`] takes.
    pub audit_location: Option<String>,
    /// `EVENTBRIDGE_BUS_NAME`.
    pub bus_name: Option<String>,
    /// `USE_EVENTBRIDGE`.
    pub use_eventbridge: bool,
    /// `BUS_ENTRY_MAX_BYTES`.
    pub bus_entry_cap: usize,
    /// `SNS_TOPIC_ARN`.
    pub sns_topic_arn: Option<String>,
    /// `SQS_QUEUE_URL`.
    pub sqs_queue_url: Option<String>,
    /// `READ_ROLE_NAME`.
    pub read_role_name: Option<String>,
    /// `READ_ROLE_EXTERNAL_ID`.
    pub read_role_external_id: Option<String>,
    /// `SLACK_WEBHOOK_PARAMETER`.
    pub slack_webhook_parameter: Option<String>,
    /// `NOTIFICATION_CONFIG_KEY`.
    pub notification_config_key: String,
    /// `SNS_PRIORITY_TOPIC_ARN`.
    pub sns_priority_topic_arn: Option<String>,
    /// `SNS_MESSAGE_STRUCTURE` is `json`.
    pub sns_json: bool,
    /// `FIREHOSE_STREAM_NAME`.
    pub firehose_stream: Option<String>,
    /// `METRICS_MAX_DIMENSION_VALUES`.
    pub metrics_max_values: usize,
    /// `COMPACT_MONTHS`.
    pub compact_months: usize,
    /// `METRICS_NAMESPACE`.
    pub metrics_namespace: String,
    /// `ALLOWED_ACTIONS`; `None` when it is not set.
    pub allowed_actions: Option<Vec<String>>,
    /// `DRY_RUN`.
    pub dry_run: bool,
    /// `ENABLE_REMEDIATION`.
    pub enable_remediation: bool,
    /// `USE_REAL_AWS`.
    pub use_real_aws: bool,
    /// `DEBUG`.
    pub debug: bool,
    /// Whether Lambda runs this program: `AWS_LAMBDA_RUNTIME_API` is set.
    pub in_lambda: bool,
}

/// Variables that cannot be used, all of them at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("environment: {0}")]
pub struct SettingsError(String);

impl Settings {
    /// Reads the environment of this process.
    pub fn from_env() -> Result<Settings, SettingsError> {
        Settings::read(&|name| std::env::var(name).ok())
    }

    /// Whether Lambda runs this process.
    pub fn is_lambda() -> bool {
        std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
    }

    /// Reads variables from wherever they are.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        let mut reader = Reader { lookup, faults: String::new() };
        let settings = Settings {
            rules_location: reader.location("RULES_BUCKET"),
            rules_key: reader.text("RULES_KEY"),
            suppress_key: reader.text("SUPPRESS_KEY"),
            config_refresh: Duration::from_secs(reader.number("CONFIG_REFRESH_SECONDS").get() as u64),
            audit_location: reader.location("AUDIT_BUCKET"),
            bus_name: reader.optional("EVENTBRIDGE_BUS_NAME"),
            use_eventbridge: reader.flag("USE_EVENTBRIDGE"),
            bus_entry_cap: reader.number("BUS_ENTRY_MAX_BYTES").get(),
            sns_topic_arn: reader.optional("SNS_TOPIC_ARN"),
            sqs_queue_url: reader.optional("SQS_QUEUE_URL"),
            read_role_name: reader.optional("READ_ROLE_NAME"),
            read_role_external_id: reader.optional("READ_ROLE_EXTERNAL_ID"),
            slack_webhook_parameter: reader.optional("SLACK_WEBHOOK_PARAMETER"),
            notification_config_key: reader.text("NOTIFICATION_CONFIG_KEY"),
            sns_priority_topic_arn: reader.optional("SNS_PRIORITY_TOPIC_ARN"),
            sns_json: reader.word("SNS_MESSAGE_STRUCTURE", ["text", "json"]) == "json",
            firehose_stream: reader.optional("FIREHOSE_STREAM_NAME"),
            metrics_max_values: reader.number("METRICS_MAX_DIMENSION_VALUES").get(),
            compact_months: reader.number("COMPACT_MONTHS").get(),
            metrics_namespace: reader.text("METRICS_NAMESPACE"),
            allowed_actions: reader.list("ALLOWED_ACTIONS"),
            dry_run: reader.flag("DRY_RUN"),
            enable_remediation: reader.flag("ENABLE_REMEDIATION"),
            use_real_aws: reader.flag("USE_REAL_AWS"),
            debug: reader.flag("DEBUG"),
            in_lambda: lookup("AWS_LAMBDA_RUNTIME_API").is_some(),
        };
        if settings.bus_entry_cap > MAX_ENTRY_CAP || settings.bus_entry_cap < MIN_ENTRY_CAP {
            reader.fault("BUS_ENTRY_MAX_BYTES", "must lie between 16384 and 1048576");
        }
        if settings.compact_months > MAX_COMPACT_MONTHS {
            reader.fault("COMPACT_MONTHS", "must lie between 1 and 240");
        }
        if reader.faults.is_empty() { Ok(settings) } else { Err(SettingsError(reader.faults)) }
    }
}

/// Twenty years: each month is listed by itself.
pub const MAX_COMPACT_MONTHS: usize = 240;
/// EventBridge's own limit, bytes.
const MAX_ENTRY_CAP: usize = 1024 * 1024;
/// Below this not even the columns of a violation fit, bytes.
const MIN_ENTRY_CAP: usize = 16 * 1024;

struct Reader<'r> {
    lookup: &'r dyn Fn(&str) -> Option<String>,
    faults: String,
}

impl Reader<'_> {
    fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str) -> String {
        let default = || SETTINGS.iter().find(|setting| setting.name == name).map_or("", |setting| setting.default);
        self.optional(name).unwrap_or_else(|| default().to_owned())
    }

    /// A bare name is a bucket; what has a slash or starts with a dot is taken as it is.
    fn location(&self, name: &str) -> Option<String> {
        let value = self.optional(name)?;
        let is_bare = !value.contains('/') && !value.starts_with('.');
        Some(if is_bare { format!("s3://{value}") } else { value })
    }

    fn list(&self, name: &str) -> Option<Vec<String>> {
        let value = self.optional(name)?;
        Some(value.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
    }

    fn word(&mut self, name: &str, words: [&str; 2]) -> String {
        let word = self.text(name);
        if !words.contains(&word.as_str()) {
            self.fault(name, &format!("must be {}", words.join(" or ")));
        }
        word
    }

    fn flag(&mut self, name: &str) -> bool {
        match self.text(name).to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => true,
            "false" | "0" | "no" => false,
            _ => {
                self.fault(name, "must be true or false");
                false
            }
        }
    }

    fn number(&mut self, name: &str) -> NonZeroUsize {
        self.text(name).parse().unwrap_or_else(|_| {
            self.fault(name, "must be a whole number above zero");
            NonZeroUsize::MIN
        })
    }

    fn fault(&mut self, name: &str, reason: &str) {
        let separator = if self.faults.is_empty() { "" } else { "; " };
        let value = self.text(name);
        // Writing to a string cannot fail.
        let _ = write!(self.faults, "{separator}{name} is {value:?}: {reason}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::bus::DEFAULT_ENTRY_CAP;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let find = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::read(&find)
    }

    #[test]
    fn nothing_set_is_safe_nothing_is_repaired_and_the_caps_are_those_of_every_region() {
        let settings = read(&[]).unwrap();
        assert!(settings.dry_run && !settings.enable_remediation && settings.use_eventbridge && !settings.in_lambda);
        assert_eq!(settings.bus_entry_cap, DEFAULT_ENTRY_CAP);
        assert_eq!((settings.rules_location, settings.bus_name, settings.allowed_actions), (None, None, None));
    }

    #[test]
    fn an_empty_variable_is_an_unset_one() {
        assert_eq!(read(&[("EVENTBRIDGE_BUS_NAME", " "), ("DRY_RUN", "")]), read(&[]));
    }

    #[test]
    fn a_bare_name_is_a_bucket_and_a_path_a_folder() {
        let location = |value| read(&[("AUDIT_BUCKET", value)]).unwrap().audit_location.unwrap();
        assert_eq!(location("audit-logs"), "s3://audit-logs");
        assert_eq!(location("s3://audit/prefix"), "s3://audit/prefix");
        assert_eq!(location("./audit"), "./audit");
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let error =
            read(&[("DRY_RUN", "perhaps"), ("BUS_ENTRY_MAX_BYTES", "0"), ("USE_EVENTBRIDGE", "on")]).unwrap_err();
        for name in ["DRY_RUN is \"perhaps\"", "BUS_ENTRY_MAX_BYTES is \"0\"", "USE_EVENTBRIDGE is \"on\""] {
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn the_cap_of_an_entry_has_a_range() {
        for (bytes, fits) in [("16383", false), ("16384", true), ("1048576", true), ("1048577", false)] {
            assert_eq!(read(&[("BUS_ENTRY_MAX_BYTES", bytes)]).is_ok(), fits, "{bytes}");
        }
    }

    #[test]
    fn the_months_to_compact_have_a_range() {
        for (months, fits) in [("0", false), ("1", true), ("240", true), ("241", false)] {
            assert_eq!(read(&[("COMPACT_MONTHS", months)]).is_ok(), fits, "{months}");
        }
    }

    #[test]
    fn each_variable_read_is_in_the_list_and_the_readme_shows_the_list() {
        let asked = std::cell::RefCell::new(std::collections::BTreeSet::new());
        Settings::read(&|name| {
            asked.borrow_mut().insert(name.to_owned());
            None
        })
        .unwrap();
        let mut listed: std::collections::BTreeSet<String> =
            SETTINGS.iter().map(|setting| setting.name.to_owned()).collect();
        listed.insert("AWS_LAMBDA_RUNTIME_API".to_owned());
        assert_eq!(asked.into_inner(), listed);
        let rows: String = SETTINGS.iter().map(row).collect();
        let readme = include_str!("../README.md");
        assert!(readme.contains(&rows), "stream/README.md must hold these rows:\n{rows}");
    }

    fn row(setting: &Setting) -> String {
        let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
        format!("| `{}` | {default} | {} | {} |\n", setting.name, setting.programs, setting.meaning)
    }
}
