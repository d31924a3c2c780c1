//! One request from beginning to end.
//!
//! ```text
//! configuration -> claim -> look -> plan -> guard -> budget -> snapshot -> compare -> execute, verify
//!   -> claim done, with the row -> row in the lake -> status on the bus -> told
//! ```
//!
//! A crash before "claim done" leaves a claim that expires: the next delivery finds the snapshot and completes. A crash
//! after it leaves a result that is not told: the next delivery tells it and changes nothing.

use chrono::{DateTime, TimeDelta, Utc};
use lake::{Claim, Lake};
use schemas::RemediationLog;
use stream::backoff::Deadline;
use tracing::{error, warn};

use crate::accounts::Accounts;
use crate::budget::{self, Slots, Taken};
use crate::config::{Config, WhenSpent};
use crate::error::Failure;
use crate::execute;
use crate::facts::{Facts, assumed};
use crate::guard::{ApprovedPlan, Circumstances, approve, screen};
use crate::history;
use crate::log::Outcome;
use crate::look::Look;
use crate::objects;
use crate::plan::plan;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::snapshot::{self, Snapshot, Stored};
use crate::tell::Teller;

/// A claim is held longer than the invocation lasts, so that no second process begins while the first may still act.
const HOLD_BEYOND: TimeDelta = TimeDelta::seconds(5);

/// Where the configuration comes from.
#[derive(Debug, Clone)]
pub enum ConfigSource {
    /// An object that is read for each request, so that a change holds at once.
    Object {
        /// Where it is.
        lake: Lake,
        /// Its key.
        key: String,
    },
    /// The text itself.
    Text(String),
    /// There is none, so nothing is allowed.
    Missing(String),
}

/// Switches of the environment and the command line.
#[derive(Debug, Clone)]
pub struct Switches {
    /// `ENABLE_REMEDIATION`.
    pub enabled: bool,
    /// `DRY_RUN`, or `--dry-run`.
    pub dry_run: bool,
    /// `ALLOWED_ACTIONS`.
    pub allowed_actions: Option<Vec<String>>,
    /// Names of the roles of this system that the settings tell.
    pub own_roles: Vec<String>,
}

/// Deals with requests.
#[derive(Debug)]
pub struct Remediator {
    /// Claims, budgets, history, rows.
    pub lake: Lake,
    /// Snapshots.
    pub snapshots: Lake,
    /// Where the configuration is.
    pub config: ConfigSource,
    /// The switches.
    pub switches: Switches,
    /// IAM; without it the plan is made from what the event says and nothing is changed.
    pub accounts: Option<Accounts>,
    /// The bus and the metrics.
    pub teller: Teller,
}

/// What the caller does with the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// It is over.
    Done(Box<RemediationLog>),
    /// It was over before.
    Repeated,
    /// Not before this time.
    NotBefore(DateTime<Utc>, String),
    /// As soon as it is delivered again.
    Again(String),
}

/// An attempt in progress.
struct Work<'w> {
    request: &'w Request,
    config: &'w Config,
    deadline: Deadline,
    own_roles: Vec<String>,
}

/// What an attempt came to.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) snapshot_key: Option<String>,
}

impl From<Outcome> for Ended {
    fn from(outcome: Outcome) -> Ended {
        Ended { outcome, snapshot_key: None }
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Outcome {
        let again = matches!(failure, Failure::Later(_));
        Outcome::Failed { error: failure.to_string(), again, done: Vec::new() }
    }
}

impl Remediator {
    /// Deals with one request, by the deadline.
    pub async fn handle(&self, request: &Request, deadline: Deadline) -> Disposition {
        match self.claimed(request, deadline).await {
            Ok(disposition) => disposition,
            // Without the store nothing is changed and nothing can be written down: it must come again.
            Err(failure) => {
                let (reason, repair_id) = (failure.to_string(), request.repair_id().to_string());
                error!(repair_id, reason, "store is not usable, nothing was changed");
                Disposition::Again(reason)
            }
        }
    }

    async fn claimed(&self, request: &Request, deadline: Deadline) -> Result<Disposition, Failure> {
        let now = Utc::now();
        let config = self.read_config().await;
        let is_dry = self.switches.dry_run || config.as_ref().map_or(true, |config| config.dry_run);
        let what = if is_dry { "dry-repairs" } else { "repairs" };
        if let (Ok(config), false) = (&config, is_dry)
            && let Some(wait) = self.wait_for_budget(request, config, now).await?
        {
            return Ok(wait);
        }
        let remaining = TimeDelta::from_std(deadline.remaining()).unwrap_or(TimeDelta::hours(1));
        let claim = self.lake.claim(what, &request.repair_id().to_string(), now, remaining + HOLD_BEYOND).await?;
        let held = match claim {
            Claim::Held(held) => held,
            Claim::InProgress { until } => {
                return Ok(Disposition::Again(format!("another process is at it until {until}")));
            }
            Claim::Done(result) => {
                let row = serde_json::from_value(result).map_err(|error| Failure::Never(error.to_string()))?;
                return self.tell_again(&row, request, deadline).await;
            }
        };
        let ended = match config {
            Ok(config) => {
                let own_roles = self.own_roles().await;
                match own_roles {
                    Ok(own_roles) => self.attempt(&Work { request, config: &config, deadline, own_roles }).await,
                    Err(failure) => Outcome::from(failure).into(),
                }
            }
            Err(reason) => Outcome::Refused(Refusal::Configuration(reason)).into(),
        };
        self.settle(request, held, ended, (now, deadline)).await
    }

    /// A budget that is spent is seen before the claim, so that waiting does not use up the tries of the claim.
    async fn wait_for_budget(
        &self,
        request: &Request,
        config: &Config,
        now: DateTime<Utc>,
    ) -> Result<Option<Disposition>, Failure> {
        if config.rates.when_spent == WhenSpent::Skip || !config.allowed.contains(request.action_word.as_str()) {
            return Ok(None);
        }
        // Whoever does not tell its account is refused, not kept waiting.
        let Some(account_id) = request.known_account() else { return Ok(None) };
        let spent = budget::spent(&self.lake, &config.rates, account_id, now).await?;
        Ok(spent.map(|spent| Disposition::NotBefore(spent.until, spent.what)))
    }

    pub(crate) async fn read_config(&self) -> Result<Config, String> {
        let text = match &self.config {
            ConfigSource::Text(text) => text.clone(),
            ConfigSource::Missing(reason) => return Err(reason.clone()),
            ConfigSource::Object { lake, key } => {
                let bytes = objects::bytes(lake, key).await.map_err(|failure| failure.to_string())?;
                let bytes = bytes.ok_or_else(|| format!("{key} is missing in {}", lake.location()))?;
                String::from_utf8(bytes.to_vec()).map_err(|_| format!("{key} is not UTF-8"))?
            }
        };
        Config::read(&text, self.switches.allowed_actions.as_deref()).map_err(|error| error.to_string())
    }

    async fn own_roles(&self) -> Result<Vec<String>, Failure> {
        let mut roles = self.switches.own_roles.clone();
        if let Some(accounts) = &self.accounts {
            roles.extend(accounts.own().await?.role.clone());
        }
        Ok(roles)
    }

    async fn attempt(&self, work: &Work<'_>) -> Ended {
        let noted = history::note_request(&self.lake, &work.config.breaker, work.request, Utc::now()).await;
        match noted {
            Err(failure) => return Outcome::from(failure).into(),
            // The request itself is refused below, and that is announced.
            Ok(Some(reason)) => history::tell_breaker_opened(&reason),
            Ok(None) => {}
        }
        match self.approved(work).await {
            Err(outcome) => outcome.into(),
            Ok((approved, facts, before)) => match approved.steps() {
                None => {
                    let steps = approved.plan().steps.clone();
                    Outcome::DryRun { steps }.into()
                }
                Some(_) => self.change(work, approved, &facts, before).await,
            },
        }
    }

    /// Everything up to the point where something could be changed.
    async fn approved(&self, work: &Work<'_>) -> Result<(ApprovedPlan, Facts, Option<Stored>), Outcome> {
        let request = work.request;
        let mut at = self.circumstances(work).await?;
        screen(request, &at).map_err(Outcome::Refused)?;
        if let (Some(accounts), true) = (&self.accounts, work.config.asks_for_units()) {
            at.units = Some(accounts.units(request.account_id()).await?);
        }
        let before = snapshot::load(&self.snapshots, request.repair_id()).await?;
        let facts = self.look(request).await?;
        let earlier = before.as_ref().map(|stored| &stored.snapshot().facts);
        let plan = plan(request, &facts, earlier).map_err(Outcome::Refused)?;
        let approved = approve(plan, request, &facts, &at).map_err(Outcome::Refused)?;
        Ok((approved, facts, before))
    }

    async fn circumstances<'w>(&self, work: &'w Work<'_>) -> Result<Circumstances<'w>, Failure> {
        let (now, request) = (Utc::now(), work.request);
        let lake = &self.lake;
        let violation_id = request.violation.violation_id.to_string();
        Ok(Circumstances {
            config: work.config,
            enabled: self.switches.enabled,
            dry_run: self.switches.dry_run || self.accounts.is_none(),
            own_roles: &work.own_roles,
            units: None,
            breaker_open: history::breaker_open(lake).await?.map(|note| note.reason),
            returned: history::returned(lake, request, work.config.returns.1, now).await?,
            held_back: history::held_back(lake, &violation_id).await?,
            now,
        })
    }

    pub(crate) async fn look(&self, request: &Request) -> Result<Facts, Failure> {
        let mut facts = match &self.accounts {
            Some(accounts) => {
                let reader = accounts.reader(request.account_id()).await?;
                Look::new(&reader).facts(request).await?
            }
            None => assumed(request),
        };
        facts.baseline = history::baseline(&self.lake, request).await?;
        Ok(facts)
    }

    /// From here on something may be changed.
    async fn change(&self, work: &Work<'_>, approved: ApprovedPlan, facts: &Facts, before: Option<Stored>) -> Ended {
        let snapshot_key = before.as_ref().map(|stored| stored.key().to_owned());
        let steps = approved.plan().steps.clone();
        if steps.is_empty() {
            // An earlier attempt did it and was cut off before it could say so.
            let steps = before.map(|stored| stored.snapshot().steps.clone()).unwrap_or_default();
            return Ended { outcome: Outcome::Done { steps, calls: 0 }, snapshot_key };
        }
        let rates = &work.config.rates;
        let slots = match budget::take(&self.lake, rates, work.request.account_id(), Utc::now()).await {
            Ok(Taken::Granted(slots)) => slots,
            Ok(Taken::Spent(spent)) if rates.when_spent == WhenSpent::Skip => {
                return Outcome::Refused(Refusal::BudgetSpent(spent.what)).into();
            }
            Ok(Taken::Spent(spent)) => return Outcome::Wait(spent).into(),
            Err(failure) => return Outcome::from(failure).into(),
        };
        let prepared = self.prepare(work.request, facts, &steps).await;
        let stored = match prepared {
            Ok(stored) => stored,
            Err(outcome) => {
                self.give_back(slots).await;
                return Ended { outcome, snapshot_key };
            }
        };
        let outcome = self.execute(work, &approved, &slots, &stored).await;
        Ended { outcome, snapshot_key: Some(stored.key().to_owned()) }
    }

    /// Snapshot, then compare: what is changed is what was looked at and stored.
    async fn prepare(&self, request: &Request, facts: &Facts, steps: &[crate::step::Step]) -> Result<Stored, Outcome> {
        let stored = Snapshot::new(request, facts, steps, Utc::now()).store(&self.snapshots).await?;
        history::note_repair(&self.lake, request).await?;
        let now = self.look(request).await?;
        let planned = plan(request, &now, Some(&stored.snapshot().facts)).map_err(Outcome::Refused)?;
        if planned.steps != steps {
            let error = "what is to be changed changed while the snapshot was taken".to_owned();
            return Err(Outcome::Failed { error, again: true, done: Vec::new() });
        }
        Ok(stored)
    }

    async fn execute(&self, work: &Work<'_>, approved: &ApprovedPlan, slots: &Slots, stored: &Stored) -> Outcome {
        let Some(accounts) = &self.accounts else {
            return Outcome::Failed { error: "there is no IAM to change".to_owned(), again: false, done: Vec::new() };
        };
        match execute::run(approved, slots, stored, accounts, work.deadline).await {
            Ok(calls) => Outcome::Done { steps: stored.snapshot().steps.clone(), calls },
            Err(broken) => {
                let done = approved.plan().steps.iter().take(broken.done).cloned().collect();
                let again = matches!(broken.failure, Failure::Later(_));
                Outcome::Failed { error: broken.failure.to_string(), again, done }
            }
        }
    }

    async fn give_back(&self, slots: Slots) {
        if let Err(failure) = slots.give_back(&self.lake).await {
            let reason = failure.to_string();
            warn!(reason, "a slot of the budget stays taken");
        }
    }

    /// What would be done and why, without a claim, a row or a word to anybody.
    pub async fn preview(&self, request: &Request, deadline: Deadline) -> Preview {
        let config = match self.read_config().await {
            Ok(config) => config,
            Err(reason) => return Preview::not(Outcome::Refused(Refusal::Configuration(reason))),
        };
        let own_roles = match self.own_roles().await {
            Ok(own_roles) => own_roles,
            Err(failure) => return Preview::not(failure.into()),
        };
        match self.approved(&Work { request, config: &config, deadline, own_roles }).await {
            Ok((approved, facts, _)) => Preview { verdict: Ok(approved), facts },
            Err(outcome) => Preview::not(outcome),
        }
    }
}

/// What would be done.
#[derive(Debug)]
pub struct Preview {
    /// The approved plan, or why there is none.
    pub verdict: Result<ApprovedPlan, Outcome>,
    /// What IAM shows, or is taken to show; empty without a plan.
    pub facts: Facts,
}

impl Preview {
    fn not(outcome: Outcome) -> Preview {
        Preview { verdict: Err(outcome), facts: Facts::default() }
    }
}
