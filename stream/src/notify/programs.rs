//! The four programs: how each is built from the settings, and what it shows without AWS.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use aws_config::SdkConfig;
use chrono::Utc;
use lake::Lake;

use super::audit::channel::{AuditLog, Sink};
use super::command::say;
use super::event::BusEvent;
use super::points::channel::MetricsPublisher;
use super::points::{Point, points, sum};
use super::run::Program;
use super::slack::blocks;
use super::slack::channel::Slack;
use super::slack::config::{SlackConfig, read};
use super::slack::ledger::Ledger;
use super::slack::picture::picture;
use super::slack::route::{Routed, route};
use super::slack::source::ConfigSource;
use super::slack::storm::{Member, Place, closing_messages};
use super::slack::webhook::WebhookParameter;
use super::sns::channel::Sns;
use super::{audit, sns};
use crate::aws;
use crate::metrics::Metrics;
use crate::settings::Settings;

/// `sns_publisher` against AWS.
pub async fn sns_publisher(settings: Settings) -> anyhow::Result<Program<Sns>> {
    let (config, lake) = common(&settings).await?;
    let topic =
        settings.sns_topic_arn.as_deref().context("SNS_TOPIC_ARN is not set: name the topic of notifications")?;
    let client = aws_sdk_sns::Client::new(&aws::without_retries(&config));
    let channel = Sns::new(client, topic, settings.sns_priority_topic_arn.as_deref(), settings.sns_json);
    Ok(Program::new(channel, lake, Some(Metrics::new(&config, &settings.metrics_namespace))))
}

/// `slack_handler` against AWS and Slack.
pub async fn slack_handler(settings: Settings) -> anyhow::Result<Program<Slack>> {
    let (config, lake) = common(&settings).await?;
    let parameter = settings.slack_webhook_parameter.as_deref();
    let parameter = parameter.context("SLACK_WEBHOOK_PARAMETER is not set: name the SSM parameter of the webhook")?;
    let webhooks = WebhookParameter::new(aws_sdk_ssm::Client::new(&config), parameter);
    let source = match &settings.rules_location {
        None => ConfigSource::Fixed(Arc::new(SlackConfig::default())),
        Some(location) => {
            let place = Lake::open(location).await.context("opening RULES_BUCKET")?;
            ConfigSource::object(place, &settings.notification_config_key, settings.config_refresh)
        }
    };
    let channel = Slack::new(lake.clone(), source, webhooks)?;
    Ok(Program::new(channel, lake, Some(Metrics::new(&config, &settings.metrics_namespace))))
}

/// `metrics_publisher` against AWS.
pub async fn metrics_publisher(settings: Settings) -> anyhow::Result<Program<MetricsPublisher>> {
    let (config, lake) = common(&settings).await?;
    let client = aws_sdk_cloudwatch::Client::new(&config);
    let channel = MetricsPublisher::new(client, &settings.metrics_namespace, lake.clone(), settings.metrics_max_values);
    Ok(Program::new(channel, lake, Some(Metrics::new(&config, &settings.metrics_namespace))))
}

/// `audit_logger` against AWS.
pub async fn audit_logger(settings: Settings) -> anyhow::Result<Program<AuditLog>> {
    let (config, lake) = common(&settings).await?;
    let sink = match &settings.firehose_stream {
        Some(stream) => {
            let client = aws_sdk_firehose::Client::new(&aws::without_retries(&config));
            Sink::Firehose { client, stream: stream.clone() }
        }
        None => Sink::Lake,
    };
    let channel = AuditLog::new(sink, lake.clone());
    Ok(Program::new(channel, lake, Some(Metrics::new(&config, &settings.metrics_namespace))))
}

async fn common(settings: &Settings) -> anyhow::Result<(SdkConfig, Lake)> {
    let location = settings.audit_location.as_deref();
    let location = location.context("AUDIT_BUCKET is not set: claims and dead letters have no place")?;
    Ok((aws::config().await, Lake::open(location).await.context("opening AUDIT_BUCKET")?))
}

/// Prints each e-mail.
pub async fn show_sns(events: Vec<BusEvent>, _: Settings) -> anyhow::Result<()> {
    for event in &events {
        let Some(message) = sns::message(event) else { continue };
        let topic = if message.priority { "priority topic" } else { "topic" };
        say(&format!("To:       {topic}\nSubject:  {}\n\n{}{}\n", message.subject, message.body, "-".repeat(80)))?;
        say("\n")?;
    }
    Ok(())
}

/// Draws each Slack message, then what the end of the window would tell, through the same record that the Lambda keeps.
pub async fn show_slack(events: Vec<BusEvent>, config: Option<PathBuf>, json: bool) -> anyhow::Result<()> {
    let config = match config {
        None => SlackConfig::default(),
        Some(path) => slack_config(&path)?,
    };
    let ledger = Ledger::new(Lake::open("memory://").await?);
    let now = Utc::now();
    let show = |message: &serde_json::Value| if json { format!("{message:#}\n") } else { picture(message) };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut end = now;
    for event in &events {
        let (channel, until) = match route(event, &config, now) {
            Routed::To { channel, until } => (channel, until),
            Routed::Unwanted(why) => {
                *counts.entry(why).or_default() += 1;
                continue;
            }
        };
        let member = Member::of(event, channel.as_deref());
        let message = blocks::message(event, &config, channel.as_deref());
        let (Some(member), Some(message)) = (member, message) else { continue };
        let (place, window) = ledger.admit(&member, now, until, &config.storm).await?;
        end = end.max(window);
        if place == Place::Individual {
            say(&show(&message))?;
        }
        let told = if place == Place::Individual { "sent by itself" } else { "told at the end of the window" };
        *counts.entry(told).or_default() += 1;
    }
    for window in ledger.due(end).await? {
        for closing in closing_messages(&ledger.seal(window).await?, &config) {
            say(&show(&closing.message))?;
        }
    }
    let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    if !json {
        say(&format!("{} events: {}\n", events.len(), counts.join(", ")))?;
    }
    Ok(())
}

fn slack_config(path: &std::path::Path) -> anyhow::Result<SlackConfig> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let (config, faults) = read(&name, &text);
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let config = config.with_context(|| format!("{name} is refused\n{}", faults.join("\n")))?;
    for fault in faults {
        tracing::warn!("{fault}");
    }
    Ok(config)
}

/// Prints the points.
pub async fn show_metrics(events: Vec<BusEvent>, settings: Settings) -> anyhow::Result<()> {
    let now = Utc::now();
    let sums = sum(events.iter().flat_map(|event| points(event, now)).map(|point| Point { minute: now, ..point }));
    say(&format!("namespace {}\n", settings.metrics_namespace))?;
    for (point, count) in sums {
        let (dimension, value) = point.by;
        let by = format!("Severity={} {}={value}", point.severity, dimension.as_str());
        say(&format!("{:<20}  {by:<60}  {count:>6}\n", point.name))?;
    }
    Ok(())
}

/// Prints each row; with a folder, writes the table there as well.
pub async fn show_audit(events: Vec<BusEvent>, folder: Option<String>) -> anyhow::Result<()> {
    let entries: Vec<audit::Entry> = events.iter().map(audit::entry).collect();
    for entry in &entries {
        say(&format!("{}\n", serde_json::to_string(&entry.row)?))?;
    }
    let Some(folder) = folder else { return Ok(()) };
    let lake = Lake::open(&folder).await?;
    let program = Program::new(AuditLog::new(Sink::Lake, lake.clone()), lake, None);
    let deadline = crate::backoff::Deadline::after(std::time::Duration::from_secs(600));
    let told = program.write(&events, super::run::Moment { now: Utc::now(), deadline }).await;
    let failed = told.iter().find_map(|outcome| match outcome {
        super::run::Outcome::Later(reason) => Some(reason.clone()),
        _ => None,
    });
    if let Some(reason) = failed {
        anyhow::bail!("{folder}: {reason}");
    }
    say(&format!("{} rows written to {folder}/audit_log\n", told.len()))
}
