//! Where messages are posted: a secret, read from SSM, kept for a while, and never written anywhere.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use reqwest::Url;
use tokio::sync::Mutex;

/// A rotated webhook is in use after this long at the latest; a refused one is read again at once.
const KEEP: Duration = Duration::from_secs(300);
/// The key for channels that have no webhook of their own.
const DEFAULT: &str = "default";

/// An address whoever knows it can post to. Has no way to be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook(Url);

/// Webhooks by channel: a modern webhook posts to one channel only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhooks(HashMap<String, Webhook>);

/// Why there is no webhook.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// SSM did not answer, or refused.
    #[error("the webhook parameter {parameter} cannot be read: {reason}")]
    Unavailable {
        /// Name of the parameter.
        parameter: String,
        /// Name of the fault, without its text.
        reason: String,
    },
    /// The parameter holds something else. What it holds is not repeated here: it may be half a secret.
    #[error("the webhook parameter {parameter} holds no https address, nor a JSON object of channel to address")]
    Unusable {
        /// Name of the parameter.
        parameter: String,
    },
    /// Nothing for this channel.
    #[error("the webhook parameter has neither an address for channel {channel} nor a default")]
    NoChannel {
        /// Which channel.
        channel: String,
    },
}

impl fmt::Debug for Webhook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Webhook(secret)")
    }
}

impl Webhook {
    /// An https address, or plain http on this machine.
    fn read(text: &str) -> Option<Webhook> {
        let url = Url::parse(text.trim()).ok()?;
        let here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        (url.scheme() == "https" || url.scheme() == "http" && here).then_some(Webhook(url))
    }

    /// For the one place that posts to it.
    pub(super) fn address(&self) -> Url {
        self.0.clone()
    }
}

impl Webhooks {
    /// Reads the value of a parameter: an address, or `{"default": "https://…", "#channel": "https://…"}`.
    pub fn read(parameter: &str, value: &str) -> Result<Webhooks, WebhookError> {
        let unusable = || WebhookError::Unusable { parameter: parameter.to_owned() };
        if !value.trim_start().starts_with('{') {
            let webhook = Webhook::read(value).ok_or_else(unusable)?;
            return Ok(Webhooks(HashMap::from([(DEFAULT.to_owned(), webhook)])));
        }
        let texts: HashMap<String, String> = serde_json::from_str(value).map_err(|_| unusable())?;
        let read = |(channel, text): (String, String)| Webhook::read(&text).map(|webhook| (channel, webhook));
        let webhooks: Option<HashMap<_, _>> = texts.into_iter().map(read).collect();
        webhooks.filter(|webhooks| !webhooks.is_empty()).map(Webhooks).ok_or_else(unusable)
    }

    /// The webhook of a channel, else the default one.
    pub fn of(&self, channel: Option<&str>) -> Result<&Webhook, WebhookError> {
        let own = channel.and_then(|channel| self.0.get(channel));
        let missing = || WebhookError::NoChannel { channel: channel.unwrap_or(DEFAULT).to_owned() };
        own.or_else(|| self.0.get(DEFAULT)).ok_or_else(missing)
    }
}

/// The webhooks of an SSM SecureString, read again now and then.
#[derive(Debug)]
pub struct WebhookParameter {
    client: aws_sdk_ssm::Client,
    parameter: String,
    known: Mutex<Option<(Instant, Webhooks)>>,
}

impl WebhookParameter {
    /// For a parameter name, such as `/iam-policy-monitor/slack`.
    pub fn new(client: aws_sdk_ssm::Client, parameter: &str) -> WebhookParameter {
        WebhookParameter { client, parameter: parameter.to_owned(), known: Mutex::new(None) }
    }

    /// The webhooks; `again` asks SSM even if they were read a moment ago, because one was refused.
    pub async fn get(&self, again: bool) -> Result<Webhooks, WebhookError> {
        let mut known = self.known.lock().await;
        if let Some((at, webhooks)) = known.as_ref()
            && at.elapsed() < KEEP
            && !again
        {
            return Ok(webhooks.clone());
        }
        let asked = self.client.get_parameter().name(&self.parameter).with_decryption(true).send().await;
        let read = asked.map_err(|error| {
            use aws_sdk_ssm::error::ProvideErrorMetadata;
            let reason = error.code().unwrap_or("no answer").to_owned();
            WebhookError::Unavailable { parameter: self.parameter.clone(), reason }
        });
        let value = read.map(|output| output.parameter.and_then(|parameter| parameter.value).unwrap_or_default());
        match (value.and_then(|value| Webhooks::read(&self.parameter, &value)), known.as_ref()) {
            (Ok(webhooks), _) => Ok(known.insert((Instant::now(), webhooks)).1.clone()),
            // SSM is away: what was read before may still be good, unless it was just refused.
            (Err(_), Some((_, webhooks))) if !again => Ok(webhooks.clone()),
            (Err(error), _) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "https://hooks.slack.com/services/T000/B000/s3cr3t";

    #[test]
    fn a_webhook_is_found_by_channel_else_the_default() {
        let one = Webhooks::read("p", &format!(" {SECRET}\n")).unwrap();
        assert_eq!(one.of(Some("#any")).unwrap(), one.of(None).unwrap());
        let many = Webhooks::read("p", r##"{"default": "https://a.example/d", "#x": "https://a.example/x"}"##).unwrap();
        assert_eq!(many.of(Some("#x")).unwrap().address().path(), "/x");
        assert_eq!(many.of(Some("#y")).unwrap().address().path(), "/d");
    }

    #[test]
    fn no_form_of_a_webhook_or_its_faults_shows_the_secret() {
        let webhooks = Webhooks::read("p", SECRET).unwrap();
        let shown = [
            format!("{webhooks:?}"),
            format!("{:?}", Webhooks::read("p", &SECRET.replace("https", "http")).unwrap_err()),
            Webhooks::read("p", &format!("{{\"default\": \"{SECRET}\", 7}}")).unwrap_err().to_string(),
            Webhooks::read("p", "http://169.254.169.254/s3cr3t").unwrap_err().to_string(),
        ];
        for text in shown {
            assert!(!text.contains("s3cr3t"), "{text}");
        }
    }
}
