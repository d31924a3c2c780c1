//! Policy documents that an event does not carry, read from IAM of the account they belong to.
//!
//! Look-ups go out together, within a budget of time. What is denied or not there stays not visible; what is throttled
//! is tried again while the budget lasts and then reported as failed, so that its event can be judged again later.

mod accounts;
mod iam;

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use detection::{DocumentName, DocumentRequest, Documents, Moment};
use futures::{StreamExt, stream};
use tracing::warn;

use crate::backoff::{Backoff, Deadline};
use crate::settings::Settings;
use accounts::Accounts;

/// Look-ups at the same time: IAM allows few calls a second in each account.
const LOOK_UPS_AT_ONCE: usize = 8;
/// Time for all look-ups of one part of a batch.
const BUDGET: Duration = Duration::from_secs(12);
/// Between two tries of a look-up that was throttled.
const BACKOFF: Backoff = Backoff { tries: 6, first: Duration::from_millis(200), longest: Duration::from_secs(4) };
/// Documents kept between batches, and how long. A version of a policy never changes; AWS-managed policies rarely do.
const MAX_KEPT: usize = 500;
const KEEP_FOR: Duration = Duration::from_secs(3600);

/// Why a document could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// It may be had later: throttled, time-out, fault of the service.
    Later(String),
    /// It cannot be had: access denied, deleted since, of a sort that is not looked up.
    Never(String),
}

/// What the look-ups found.
#[derive(Debug, Default)]
pub struct Found {
    /// The documents.
    pub documents: Documents,
    /// What is missing for now.
    pub later: HashMap<DocumentRequest, String>,
    /// Calls that did not answer with a document.
    pub misses: u64,
}

/// Looks documents up.
#[derive(Debug)]
pub struct LookUps {
    accounts: Accounts,
    kept: Mutex<HashMap<DocumentRequest, (String, Instant)>>,
}

impl LookUps {
    /// Look-ups with the read role of the settings.
    pub fn new(settings: &Settings, config: aws_config::SdkConfig) -> LookUps {
        LookUps { accounts: Accounts::new(settings, config), kept: Mutex::default() }
    }

    /// Gets what it can, by the deadline at the latest.
    pub async fn fetch(&self, requests: BTreeSet<DocumentRequest>, deadline: Deadline) -> Found {
        let mut found = Found::default();
        let budget = Deadline::after(BUDGET.min(deadline.remaining()));
        let look_ups = requests.into_iter().map(|request| async {
            let answer = self.one(&request, budget).await;
            (request, answer)
        });
        let mut answers = stream::iter(look_ups).buffer_unordered(LOOK_UPS_AT_ONCE);
        while let Some((request, answer)) = answers.next().await {
            match answer {
                Ok(text) => found.documents.insert(request, Some(text)),
                Err(miss) => {
                    found.misses += 1;
                    let (Miss::Later(reason) | Miss::Never(reason)) = &miss;
                    let account_id = &request.account_id;
                    warn!(account_id, name = ?request.name, reason, "policy is not visible");
                    if let Miss::Later(reason) = miss {
                        found.later.insert(request, reason);
                    }
                }
            }
        }
        found
    }

    async fn one(&self, request: &DocumentRequest, budget: Deadline) -> Result<String, Miss> {
        if let Some(text) = self.kept(request) {
            return Ok(text);
        }
        let mut failed_tries = 0;
        loop {
            let answer = tokio::time::timeout(budget.remaining(), self.accounts.document(request)).await;
            let answer = answer.unwrap_or_else(|_| Err(Miss::Later("no answer in time".to_owned())));
            failed_tries += 1;
            match (answer, BACKOFF.pause(failed_tries)) {
                (Err(Miss::Later(_)), Some(pause)) if pause < budget.remaining() => tokio::time::sleep(pause).await,
                (Ok(text), _) => {
                    self.keep(request, &text);
                    return Ok(text);
                }
                (Err(miss), _) => return Err(miss),
            }
        }
    }

    fn kept(&self, request: &DocumentRequest) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.get(request).filter(|(_, at)| at.elapsed() < KEEP_FOR).map(|(text, _)| text.clone())
    }

    fn keep(&self, request: &DocumentRequest, text: &str) {
        if !never_changes(request) {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(request.clone(), (text.to_owned(), Instant::now()));
    }
}

/// Whether the document will be the same at the next look. Only these are kept: an attacker could otherwise show one
/// policy and attach another.
fn never_changes(request: &DocumentRequest) -> bool {
    match &request.name {
        DocumentName::ManagedPolicy { arn, version } => {
            version.is_some() || (request.moment == Moment::After && is_aws_managed(arn))
        }
        _ => false,
    }
}

/// Whether AWS owns the policy: its ARN has `aws` where others have an account.
fn is_aws_managed(arn: &str) -> bool {
    arn.split(':').nth(4) == Some("aws")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(arn: &str, version: Option<&str>) -> DocumentRequest {
        let name = DocumentName::ManagedPolicy { arn: arn.to_owned(), version: version.map(str::to_owned) };
        DocumentRequest { account_id: "111111111111".to_owned(), name, moment: Moment::After }
    }

    #[test]
    fn only_what_never_changes_is_kept_between_batches() {
        let own = "arn:aws:iam::111111111111:policy/p";
        assert!(never_changes(&request("arn:aws:iam::aws:policy/ReadOnlyAccess", None)));
        assert!(never_changes(&request(own, Some("v3"))));
        assert!(!never_changes(&request(own, None)));
        let inline = DocumentName::TrustPolicy { role: "r".to_owned() };
        assert!(!never_changes(&DocumentRequest { name: inline, ..request(own, None) }));
    }
}
