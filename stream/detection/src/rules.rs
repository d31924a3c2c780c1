//! Detection rules: rules.yaml in, matches out.
//!
//! `read` turns the file into [`Rule`]s whose conditions are a plain list of checks; [`RuleSet`] indexes them by event and
//! holds an event against each rule that names it. Every check can also explain itself, which is what tests beside rules and
//! `detector --event` print. Questions about policies go to the crate `policy`; documents that are not in the event are
//! asked for with [`RuleSet::needs`] and handed in as [`Documents`].

mod case;
mod check;
mod documents;
mod leaf;
mod policy_answers;
mod read;
mod read_checks;
mod rule;
mod set;
mod truth;

pub use documents::{DocumentName, DocumentRequest, Documents, Moment};
pub use policy_answers::Evidence;
pub use read::{MAX_NAME_CHARS, MAX_RULES};
pub use rule::{Explained, Remediation, Rule};
pub use set::{Evaluation, RuleError, RuleMatch, RuleSet};
pub use truth::Truth;

pub(crate) use check::Wording;
pub(crate) use documents::{before_request, judged_request};
pub(crate) use read::{SEVERITIES, tell_repeated_names};
pub(crate) use read_checks::{check_value, read_accounts};
