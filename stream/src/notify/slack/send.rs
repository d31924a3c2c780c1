//! Posting a message: with time limits, patience that ends before the Lambda does, and obedience to `Retry-After`.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, StatusCode, redirect};
use serde_json::Value;

use super::webhook::Webhook;
use crate::backoff::{Backoff, Deadline};

/// One try; Slack answers within a second or not at all.
const TRY_WITHIN: Duration = Duration::from_secs(5);
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Left when the last try must begin, for its answer and what is written down after it.
const SPARE: Duration = Duration::from_millis(500);
/// When Slack says 429 without saying how long.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(30);
/// More is not believed: the message comes back from the queue anyway.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// Characters of an answer that are repeated in an error; Slack's are words such as `invalid_blocks`.
const MAX_ANSWER: usize = 60;
const BACKOFF: Backoff = Backoff { tries: 4, first: Duration::from_millis(500), longest: Duration::from_secs(8) };

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Not now: back to the queue.
    #[error("slack is not available: {0}")]
    Unavailable(String),
    /// Slack wants us to wait longer than there is time.
    #[error("slack asks to wait {} s", .0.as_secs())]
    Wait(Duration),
    /// The address is no longer good: revoked, or the channel is gone.
    #[error("slack refuses the webhook with {status} {answer}; check the SSM parameter")]
    Webhook {
        /// HTTP status.
        status: u16,
        /// What Slack says.
        answer: String,
    },
    /// This message is never taken.
    #[error("slack refuses the message with {status} {answer}")]
    Message {
        /// HTTP status.
        status: u16,
        /// What Slack says.
        answer: String,
    },
}

/// Posts messages.
#[derive(Debug, Clone)]
pub struct Sender {
    client: Client,
}

impl Sender {
    /// A client that keeps its connection. Redirects are not followed: they would carry the message elsewhere.
    pub fn new() -> Result<Sender, SendError> {
        let client = Client::builder().connect_timeout(CONNECT_WITHIN).redirect(redirect::Policy::none()).build();
        client.map(|client| Sender { client }).map_err(unavailable)
    }

    /// Posts until Slack takes the message, refuses it, or the deadline comes too near.
    ///
    /// A try that timed out may have been taken all the same; then the message is there twice. Slack has no way to tell.
    pub async fn post(&self, webhook: &Webhook, message: &Value, deadline: Deadline) -> Result<(), SendError> {
        let body = message.to_string();
        let mut failed = 0;
        loop {
            let left = deadline.remaining().saturating_sub(SPARE);
            if left.is_zero() {
                return Err(SendError::Unavailable("no time is left".to_owned()));
            }
            let error = match self.attempt(webhook, &body, TRY_WITHIN.min(left)).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            failed += 1;
            let pause = match &error {
                SendError::Wait(time) if failed < BACKOFF.tries => *time,
                SendError::Unavailable(_) => match BACKOFF.pause(failed) {
                    Some(pause) => pause,
                    None => return Err(error),
                },
                SendError::Wait(_) | SendError::Webhook { .. } | SendError::Message { .. } => return Err(error),
            };
            if pause.saturating_add(SPARE) >= deadline.remaining() {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, webhook: &Webhook, body: &str, within: Duration) -> Result<(), SendError> {
        let request = self.client.post(webhook.address()).timeout(within);
        let request = request.header("content-type", "application/json; charset=utf-8").body(body.to_owned());
        let answer = request.send().await.map_err(unavailable)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            let header = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let seconds = header.and_then(|text| text.trim().parse::<u64>().ok());
            let asked = seconds.map_or(DEFAULT_RETRY_AFTER, Duration::from_secs);
            return Err(SendError::Wait(asked.min(LONGEST_RETRY_AFTER)));
        }
        let text = answer.text().await.unwrap_or_default();
        let word: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(MAX_ANSWER).collect();
        let status = status.as_u16();
        Err(match status {
            403 | 404 | 410 | 300..400 => SendError::Webhook { status, answer: word },
            400..500 => SendError::Message { status, answer: word },
            _ => SendError::Unavailable(format!("status {status}")),
        })
    }
}

/// The error without the address in it.
fn unavailable(error: reqwest::Error) -> SendError {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    SendError::Unavailable(what.to_owned())
}
