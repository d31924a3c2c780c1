//! Which resources an action can be used on: `Action: *` on a bucket grants nothing in IAM.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use crate::automaton::Step;
use crate::pattern::Pattern;
use crate::witness::{example, steps};

/// The resources that count for one action.
#[derive(Debug, Clone, Default)]
pub(crate) struct Target {
    /// ARN forms, any of them; none means any resource at all.
    pub(crate) forms: Vec<Form>,
    /// Resources that do not count.
    pub(crate) except: Vec<Pattern>,
}

impl Target {
    /// Only resources of this pattern.
    pub(crate) fn within(pattern: Pattern) -> Self {
        Self { forms: vec![Form::new(pattern)], except: Vec::new() }
    }
}

/// What the ARNs of a resource type look like, with what every question needs of it.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) pattern: Pattern,
    pub(crate) steps: Vec<Step>,
    pub(crate) example: String,
}

impl Form {
    fn new(pattern: Pattern) -> Self {
        Self { steps: steps(&pattern), example: example(&pattern), pattern }
    }
}

const METHOD_RESOURCES: &str = include_str!("../data/method-resources.tsv");

/// Actions that hand out credentials of a user: with one's own user as the only target they raise nothing.
const CREDENTIAL_ACTIONS: [&str; 3] = ["iam:createaccesskey", "iam:createloginprofile", "iam:updateloginprofile"];

static TARGETS: LazyLock<HashMap<String, Target>> = LazyLock::new(|| {
    let mut targets = HashMap::new();
    for line in METHOD_RESOURCES.lines().filter(|line| !line.starts_with('#')) {
        if let Some((action, forms)) = line.split_once('\t') {
            let action = action.to_ascii_lowercase();
            targets.insert(
                action,
                Target { forms: forms.split(' ').map(|source| Form::new(form(source))).collect(), except: Vec::new() },
            );
        }
    }
    targets
});

fn form(source: &str) -> Pattern {
    // Actions without a resource are asked of the resource "*" itself. Names in IAM have no colons.
    if source == "*" {
        Pattern::exact_value(source, false)
    } else {
        Pattern::arn_form(source, !source.contains(":iam:"))
    }
}

/// The resources on which an action can serve a method of escalation, given in lower case.
///
/// Policies of AWS itself (account `aws`) cannot be edited and service-linked roles belong to their service,
/// whatever a document grants on them.
pub(crate) fn of_method_action(action: &str) -> Target {
    let mut target = of_action(action).into_owned();
    if target.forms.iter().any(|form| form.pattern.source().contains(":iam:")) {
        target.except.push(form("arn:*:iam::aws:*"));
        target.except.push(form("arn:*:iam::*:role/aws-service-role/*"));
    }
    if CREDENTIAL_ACTIONS.contains(&action) {
        target.except.push(form("arn:*:iam::*:user/${aws:username}"));
        target.except.push(form("arn:*:iam::*:user/*/${aws:username}"));
    }
    target
}

/// The resources of an action, given in lower case. Unknown actions may be used on anything.
pub(crate) fn of_action(action: &str) -> Cow<'static, Target> {
    match TARGETS.get(action) {
        Some(target) => Cow::Borrowed(target),
        None if action.starts_with("iam:") => Cow::Owned(Target {
            forms: vec![Form::new(form("arn:*:iam::*:*")), Form::new(form("*"))],
            except: Vec::new(),
        }),
        None => Cow::Owned(Target::default()),
    }
}
