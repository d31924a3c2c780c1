//! The safety check. It alone makes an [`ApprovedPlan`], and only that can be carried out. Pure: what it needs to know
//! comes in as arguments, and whatever is in doubt is a refusal.

use chrono::{DateTime, Utc};

use crate::config::Config;
use crate::facts::Facts;
use crate::pattern::Pattern;
use crate::plan::Plan;
use crate::refusal::Refusal;
use crate::request::{Request, Target};
use crate::step::Step;

/// Session name of every change this system makes, as CloudTrail shows it.
pub const SESSION_NAME: &str = "iam-policy-remediator";

/// A plan that may be carried out.
#[derive(Debug)]
pub struct ApprovedPlan {
    plan: Plan,
    dry_run: bool,
}

impl ApprovedPlan {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether it may only be said, not done.
    pub fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// The steps, for a run that may change something; `None` for a dry run.
    pub fn steps(&self) -> Option<&[Step]> {
        (!self.dry_run).then_some(self.plan.steps.as_slice())
    }
}

/// What the guard knows besides the plan.
#[derive(Debug)]
pub struct Circumstances<'c> {
    /// The configuration.
    pub config: &'c Config,
    /// `ENABLE_REMEDIATION`.
    pub enabled: bool,
    /// `DRY_RUN` of the environment, or `--dry-run`.
    pub dry_run: bool,
    /// Names of the roles of this system.
    pub own_roles: &'c [String],
    /// The organizational units that hold the account, up to the root; `None` where they were not looked up.
    pub units: Option<Vec<String>>,
    /// Why the circuit breaker is open, if it is.
    pub breaker_open: Option<String>,
    /// How often this change was repaired lately.
    pub returned: usize,
    /// Who held the repair back, and why.
    pub held_back: Option<String>,
    /// The present.
    pub now: DateTime<Utc>,
}

/// What can be refused before anything is looked up.
pub fn screen(request: &Request, at: &Circumstances<'_>) -> Result<(), Refusal> {
    let violation = &request.violation;
    if !at.enabled {
        return Err(Refusal::NotEnabled);
    }
    let action = request.action.ok_or_else(|| Refusal::UnknownAction(request.action_word.clone()))?;
    if action == detection::Remediation::LogOnly {
        return Err(Refusal::LogOnly);
    }
    if !at.config.allowed.contains(action.as_str()) {
        return Err(Refusal::NotAllowed(action.as_str().to_owned()));
    }
    if violation.action != schemas::RuleAction::Remediate {
        return Err(Refusal::NotForRepair);
    }
    if violation.suppressed {
        return Err(Refusal::Suppressed(violation.suppressed_by.clone().unwrap_or_default()));
    }
    if violation.outcome != schemas::Outcome::Success {
        return Err(Refusal::CallFailed);
    }
    accounts(request, at.config)?;
    if request.target == Target::Nothing {
        return Err(Refusal::TargetUnknown);
    }
    identities(request, at)?;
    circumstances(request, at)
}

/// Approves a plan or says why not.
pub fn approve(plan: Plan, request: &Request, facts: &Facts, at: &Circumstances<'_>) -> Result<ApprovedPlan, Refusal> {
    screen(request, at)?;
    if request.action != Some(plan.action) || request.known_account() != Some(plan.account_id.as_str()) {
        return Err(Refusal::TargetUnknown);
    }
    units(&plan.account_id, at)?;
    // The live ARN has the path, which events leave out.
    if let Some(holder) = &facts.holder {
        target_arn(&holder.arn, at)?;
    }
    tags(facts, at.config)?;
    for step in &plan.steps {
        step_targets(step, at)?;
    }
    Ok(ApprovedPlan { plan, dry_run: at.dry_run || at.config.dry_run })
}

/// Approves taking a repair back, which a person asks for by id. `apply` says that they want it done.
pub fn approve_undo(plan: Plan, apply: bool) -> ApprovedPlan {
    ApprovedPlan { plan, dry_run: !apply }
}

fn accounts(request: &Request, config: &Config) -> Result<(), Refusal> {
    let account = request.known_account().ok_or(Refusal::AccountUnknown)?;
    let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(account));
    if any(&config.accounts_denied) || (!config.accounts.is_empty() && !any(&config.accounts)) {
        return Err(Refusal::AccountFiltered(account.to_owned()));
    }
    Ok(())
}

fn units(account: &str, at: &Circumstances<'_>) -> Result<(), Refusal> {
    if !at.config.asks_for_units() {
        return Ok(());
    }
    let units = at.units.as_deref().ok_or_else(|| Refusal::UnitUnknown(account.to_owned()))?;
    let any = |patterns: &[Pattern]| units.iter().any(|unit| patterns.iter().any(|pattern| pattern.matches(unit)));
    if any(&at.config.units_denied) || (!at.config.units.is_empty() && !any(&at.config.units)) {
        return Err(Refusal::UnitFiltered(account.to_owned()));
    }
    Ok(())
}

fn identities(request: &Request, at: &Circumstances<'_>) -> Result<(), Refusal> {
    let violation = &request.violation;
    let caller = [&violation.principal_arn, &violation.session_issuer_arn, &violation.principal_name];
    if violation.principal_type.as_deref() == Some("Root") || caller.iter().any(|text| is_root(text.as_deref())) {
        return Err(Refusal::Root("caller"));
    }
    // Whoever is not told may be anybody.
    let is_own_session = |arn: &str| arn.contains(":assumed-role/") && arn.rsplit('/').next() == Some(SESSION_NAME);
    let own = |name: &str| is_own_role(name, at);
    let issuer = violation.session_issuer_arn.as_deref().and_then(|arn| arn.rsplit('/').next());
    if violation.principal_arn.as_deref().is_some_and(is_own_session) || issuer.is_some_and(own) {
        return Err(Refusal::OwnChange);
    }
    for text in caller.into_iter().flatten() {
        excluded("caller", text, at)?;
    }
    for text in [&violation.target_arn, &violation.target_name].into_iter().flatten() {
        target_arn(text, at)?;
    }
    for text in [&violation.policy_arn, &violation.policy_name].into_iter().flatten() {
        protected(text, at.config)?;
        excluded("target", text, at)?;
    }
    target_names(request, at)
}

/// The names as the request is going to use them, whatever other columns say.
fn target_names(request: &Request, at: &Circumstances<'_>) -> Result<(), Refusal> {
    let role = |name: &str| if is_own_role(name, at) { Err(Refusal::OwnRole) } else { Ok(()) };
    match &request.target {
        Target::Attachment { holder, policy_arn } => {
            protected(policy_arn, at.config)?;
            excluded("target", &holder.name, at)?;
            role(&holder.name)
        }
        Target::Policy { arn } => {
            protected(arn, at.config)?;
            excluded("target", arn, at)
        }
        Target::Inline { holder, name } => {
            protected(name, at.config)?;
            excluded("target", &holder.name, at)?;
            role(&holder.name)
        }
        Target::Boundary { holder } => {
            excluded("target", &holder.name, at)?;
            role(&holder.name)
        }
        Target::Trust { role: name } => {
            excluded("target", name, at)?;
            role(name)
        }
        Target::Key { user, .. } => excluded("target", user, at),
        Target::Membership { user, group } => {
            excluded("target", user, at)?;
            excluded("target", group, at)
        }
        Target::Nothing => Err(Refusal::TargetUnknown),
    }
}

fn circumstances(request: &Request, at: &Circumstances<'_>) -> Result<(), Refusal> {
    if let Some(reason) = &at.breaker_open {
        return Err(Refusal::BreakerOpen(reason.clone()));
    }
    if let Some(reason) = &at.held_back {
        return Err(Refusal::HeldBack(reason.clone()));
    }
    if at.returned >= at.config.returns.0 as usize {
        return Err(Refusal::Returns(at.returned));
    }
    let violation = &request.violation;
    let due = at.config.grace.get(&violation.rule_name).map(|grace| violation.detected_at + *grace);
    match due {
        Some(due) if due > at.now => Err(Refusal::Grace(due)),
        _ => Ok(()),
    }
}

/// Everything a step touches is checked as well: a policy may be attached to more than the event named.
fn step_targets(step: &Step, at: &Circumstances<'_>) -> Result<(), Refusal> {
    match step {
        Step::Detach { holder, policy_arn } => {
            protected(policy_arn, at.config)?;
            excluded("target", &holder.name, at)?;
            excluded("target", &format!("{}/{}", holder.kind.as_str(), holder.name), at)?;
            if holder.name.starts_with("AWSServiceRoleFor") {
                return Err(Refusal::ServiceLinkedRole);
            }
            if holder.name.starts_with("AWSReservedSSO_") {
                return Err(Refusal::ReservedRole);
            }
            if is_own_role(&holder.name, at) { Err(Refusal::OwnRole) } else { Ok(()) }
        }
        Step::DeletePolicy { arn } | Step::DeleteVersion { arn, .. } | Step::SetDefault { arn, .. } => {
            protected(arn, at.config)
        }
        _ => Ok(()),
    }
}

fn target_arn(arn: &str, at: &Circumstances<'_>) -> Result<(), Refusal> {
    if is_root(Some(arn)) {
        return Err(Refusal::Root("target"));
    }
    if arn.contains(":role/aws-service-role/") {
        return Err(Refusal::ServiceLinkedRole);
    }
    if arn.contains(":role/aws-reserved/") {
        return Err(Refusal::ReservedRole);
    }
    if arn.contains(":role/") && arn.rsplit('/').next().is_some_and(|name| is_own_role(name, at)) {
        return Err(Refusal::OwnRole);
    }
    excluded("target", arn, at)
}

fn tags(facts: &Facts, config: &Config) -> Result<(), Refusal> {
    let holder = facts.holder.as_ref().map(|holder| &holder.tags);
    let Some(tags) = holder.or(facts.policy.as_ref().map(|policy| &policy.tags)) else {
        return if config.tags_required.is_empty() {
            Ok(())
        } else {
            Err(Refusal::TagFiltered("none are known".into()))
        };
    };
    let has = |key: &str, pattern: &Pattern| tags.iter().any(|tag| tag.key == key && pattern.matches(&tag.value));
    for (key, pattern) in &config.tags_denied {
        if has(key, pattern) {
            return Err(Refusal::TagFiltered(format!("it has {key}={}", pattern.as_str())));
        }
    }
    for (key, pattern) in &config.tags_required {
        if !has(key, pattern) {
            return Err(Refusal::TagFiltered(format!("it lacks {key}={}", pattern.as_str())));
        }
    }
    Ok(())
}

fn is_root(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.starts_with("arn:") && text.ends_with(":root"))
}

fn is_own_role(name: &str, at: &Circumstances<'_>) -> bool {
    at.own_roles.iter().any(|own| own == name) || at.config.own_roles.iter().any(|own| own.matches(name))
}

fn excluded(who: &'static str, text: &str, at: &Circumstances<'_>) -> Result<(), Refusal> {
    match at.config.excluded.iter().find(|pattern| pattern.matches(text)) {
        Some(pattern) => Err(Refusal::Excluded { who, pattern: pattern.as_str().to_owned() }),
        None => Ok(()),
    }
}

fn protected(text: &str, config: &Config) -> Result<(), Refusal> {
    match config.protected.iter().find(|pattern| pattern.matches(text)) {
        Some(pattern) => Err(Refusal::ProtectedPolicy(pattern.as_str().to_owned())),
        None => Ok(()),
    }
}
