//! The end of an attempt: what came of it is written down and told, in the order that lets nothing get lost.

use chrono::{DateTime, Utc};
use detection::Remediation;
use lake::Held;
use schemas::{REMEDIATION_LOGS, RemediationLog};
use stream::backoff::Deadline;
use tracing::info;

use crate::error::Failure;
use crate::history;
use crate::log::{Attempt, Outcome, row};
use crate::objects;
use crate::refusal::Refusal;
use crate::remediator::{Disposition, Ended, Remediator};
use crate::request::Request;

impl Remediator {
    /// Writes down what came of it, in the order that lets nothing get lost.
    pub(crate) async fn settle(
        &self,
        request: &Request,
        held: Held,
        ended: Ended,
        (begun, deadline): (DateTime<Utc>, Deadline),
    ) -> Result<Disposition, Failure> {
        let Ended { outcome, snapshot_key } = ended;
        if let Outcome::Wait(spent) = outcome {
            held.release().await?;
            return Ok(Disposition::NotBefore(spent.until, spent.what));
        }
        let attempt = Attempt { number: held.attempt, begun, ended: Utc::now(), snapshot_key };
        let mut row = row(request, &outcome, &attempt);
        if let Outcome::Failed { error, .. } = &outcome
            && let Some(reason) = self.note_failure(&row).await?
        {
            row.error = Some(format!("{error}; the circuit breaker opened: {reason}"));
        }
        let (status, action, repair_id) = (row.status, &row.remediation_action, request.repair_id().to_string());
        let reason = row.reason.as_deref().or(row.error.as_deref());
        info!(repair_id, ?status, action, reason, attempt = row.attempt, "repair attempted");
        if outcome.is_final() {
            let result = serde_json::to_value(&row).map_err(|error| Failure::Never(error.to_string()))?;
            held.done(result).await?;
            self.tell(&row, request, deadline).await?;
            return Ok(Disposition::Done(Box::new(row)));
        }
        if let Outcome::Refused(Refusal::Grace(until)) = outcome {
            // Told once, when it is marked.
            if held.attempt == 1 {
                self.tell(&row, request, deadline).await?;
            }
            held.release().await?;
            return Ok(Disposition::NotBefore(until, "it is marked".to_owned()));
        }
        self.tell(&row, request, deadline).await?;
        held.release().await?;
        Ok(Disposition::Again(row.reason.or(row.error).unwrap_or_default()))
    }

    /// Why the circuit breaker opened, if it did.
    async fn note_failure(&self, row: &RemediationLog) -> Result<Option<String>, Failure> {
        let Ok(config) = self.read_config().await else { return Ok(None) };
        let id = row.remediation_id.to_string();
        let opened = history::note_failure(&self.lake, &config.breaker, &id, Utc::now()).await?;
        if let Some(reason) = &opened {
            history::tell_breaker_opened(reason);
        }
        Ok(opened)
    }

    /// Row first, then the status: both durable before the message is acknowledged.
    pub(crate) async fn tell(
        &self,
        row: &RemediationLog,
        request: &Request,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        self.lake.write_rows(&REMEDIATION_LOGS, std::slice::from_ref(row)).await?;
        self.teller.publish(row, request, deadline).await?;
        objects::create(&self.lake, &told_key(row), &()).await?;
        let action = Remediation::ALL.into_iter().find(|action| action.as_str() == row.remediation_action);
        self.teller.count(row, action).await;
        Ok(())
    }

    pub(crate) async fn tell_again(
        &self,
        row: &RemediationLog,
        request: &Request,
        deadline: Deadline,
    ) -> Result<Disposition, Failure> {
        if objects::bytes(&self.lake, &told_key(row)).await?.is_none() {
            self.tell(row, request, deadline).await?;
        }
        Ok(Disposition::Repeated)
    }
}

fn told_key(row: &RemediationLog) -> String {
    format!("told/{}.json", row.remediation_id)
}
