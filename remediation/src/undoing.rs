//! Taking a repair back, for a person: through the same budget and the same executor as repairs.

use chrono::{DateTime, TimeDelta, Utc};
use lake::{Claim, Held};
use schemas::RemediationLog;
use stream::backoff::Deadline;

use crate::budget::{self, Taken};
use crate::execute::{self, Broken};
use crate::guard::approve_undo;
use crate::log::{Attempt, Outcome, row};
use crate::remediator::Remediator;
use crate::request::Request;
use crate::snapshot::Stored;
use crate::step::Step;

impl Remediator {
    /// Takes a repair back, or says what that would take. See [`crate::undo`].
    pub async fn undo(&self, stored: &Stored, apply: bool, deadline: Deadline) -> anyhow::Result<Undone> {
        let request = stored.snapshot().request();
        let before = &stored.snapshot().facts;
        let Some(accounts) = &self.accounts else {
            anyhow::bail!("undo needs IAM: set USE_REAL_AWS=true");
        };
        let live = self.look(&request).await?;
        let plan = crate::undo::undo(&request, before, &live)?;
        let approved = approve_undo(plan, apply);
        let steps = approved.plan().steps.clone();
        if approved.is_dry_run() || steps.is_empty() {
            return Ok(Undone { steps, row: None });
        }
        let config = self.read_config().await.map_err(|reason| anyhow::anyhow!("configuration: {reason}"))?;
        let now = Utc::now();
        let remaining = TimeDelta::from_std(deadline.remaining()).unwrap_or(TimeDelta::hours(1));
        let id = request.repair_id().to_string();
        let held = match self.lake.claim("undo", &id, now, remaining).await? {
            Claim::Held(held) => held,
            Claim::InProgress { until } => anyhow::bail!("somebody takes it back already, until {until}"),
            Claim::Done(_) => anyhow::bail!("it was taken back before, and IAM shows another state since"),
        };
        let slots = match budget::take(&self.lake, &config.rates, request.account_id(), now).await? {
            Taken::Granted(slots) => slots,
            Taken::Spent(spent) => anyhow::bail!("the budget of {} is spent until {}", spent.what, spent.until),
        };
        let ran = execute::run(&approved, &slots, stored, accounts, deadline).await;
        let row = undo_row(&request, stored, &held, (now, &ran, &steps));
        match &ran {
            Ok(_) => held.done(serde_json::Value::Null).await?,
            Err(_) => held.release().await?,
        }
        self.tell(&row, &request, deadline).await?;
        ran.map_err(|broken| anyhow::anyhow!("{} steps are done, then: {}", broken.done, broken.failure))?;
        Ok(Undone { steps, row: Some(Box::new(row)) })
    }
}

/// What taking a repair back came to.
#[derive(Debug)]
pub struct Undone {
    /// The steps; none when IAM shows the state of before already.
    pub steps: Vec<Step>,
    /// The row, when it was done.
    pub row: Option<Box<RemediationLog>>,
}

fn undo_row(
    request: &Request,
    stored: &Stored,
    held: &Held,
    (begun, ran, steps): (DateTime<Utc>, &Result<usize, Broken>, &[Step]),
) -> RemediationLog {
    let outcome = match ran {
        Ok(calls) => Outcome::Done { steps: steps.to_vec(), calls: *calls },
        Err(broken) => Outcome::Failed {
            error: broken.failure.to_string(),
            again: false,
            done: steps.iter().take(broken.done).cloned().collect(),
        },
    };
    let snapshot_key = Some(stored.key().to_owned());
    let attempt = Attempt { number: held.attempt, begun, ended: Utc::now(), snapshot_key };
    let mut row = row(request, &outcome, &attempt);
    let id = request.repair_id().to_string();
    row.remediation_id = schemas::derived_id(&["undo", &id, &held.attempt.to_string()]);
    if ran.is_ok() {
        row.status = schemas::RemediationStatus::Undone;
    }
    row
}
