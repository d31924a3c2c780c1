//! Detection rules: rules.yaml in, matches out.
//!
//! `read` turns the file into [`Rule`]s whose conditions are a plain list of checks; [`RuleSet`] indexes them by event and
//! holds an event against each rule that names it. Every check can also explain itself, which is what tests beside rules and
//! `detector --event` print. Questions about policies go to the crate `policy`; documents that are not in the event are
//! asked for with [`RuleSet::needs`] and handed in as [`Documents`].
//!
//! Keys under `conditions`; all that are given must hold, and of a list one member:
//!
//! | key | holds when |
//! |---|---|
//! | `event_names`, `event_sources`, `event_kinds` | the event is one of these; a rule needs names or kinds |
//! | `outcome` | the call had `success` (default), `failure`, or `any` |
//! | `resource_types` | the type of a resource, or of what was changed, contains this |
//! | `principals`, `not_principals` | the ARN of the caller, or of the role behind its session, contains this; with `*` it fits as a whole |
//! | `accounts` | the account of the event is this; digits with `*` and `?` |
//! | `source_ips`, `not_source_ips` | the call came from this block; AWS services come from none |
//! | `user_agents`, `actor_types` | the user agent contains this; `userIdentity.type` is this |
//! | `mfa` | the session had a second factor; one that does not say had none |
//! | `target` | the call is about its caller (`self`) or somebody else (`other`) |
//! | `event_fields` | these values stand at these paths; a list of maps is met by any of them, `*` is any member |
//! | `conditions` | older form: `policy_arns` names the policy, or its text holds one of `policy_document_contains` |
//! | `policy` | the document meets the leaves, joined by `all`, `any`, `not` |

mod case;
mod check;
mod documents;
mod leaf;
mod matching;
mod memory;
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

pub(crate) use case::Case;
pub(crate) use documents::{before_request, judged_request};
pub(crate) use matching::Wording;
pub(crate) use memory::Memory;
pub(crate) use read::{SEVERITIES, tell_repeated_names};
pub(crate) use read_checks::{check_value, read_accounts};
