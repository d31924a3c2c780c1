//! What a policy document says, after it has been read: plain data, in document order.
//!
//! A [`Policy`] always exists, also for text that is no policy at all; what could not be read is in
//! [`Policy::malformed`]. Where the text is ambiguous the reading is the dangerous one: wider for an
//! Allow, narrower for a Deny, so that a trick in the text never hides a grant.

use std::fmt;

use crate::guard::Guard;
use crate::malformed::Malformed;
use crate::pattern::Pattern;

/// What a document is attached to. It decides which parts are required and what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Kind {
    /// Attached to a user, role, group or permission set.
    #[default]
    Identity,
    /// The trust policy (assume role policy) of a role.
    Trust,
    /// Service or resource control policy of an organization: grants nothing.
    Scp,
    /// Permissions boundary or session policy: grants nothing.
    Boundary,
    /// Resource policy of this service.
    Resource(Service),
}

/// Services whose resource policies have rules of their own; all others are `Other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// S3 bucket or access point.
    S3,
    /// KMS key.
    Kms,
    /// SNS topic.
    Sns,
    /// SQS queue.
    Sqs,
    /// Lambda function.
    Lambda,
    /// Any other service.
    Other,
}

impl Kind {
    /// Reads the `kind` word of a request: `identity`, `trust`, `scp`, `boundary`, or a service prefix.
    pub fn from_word(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "" | "identity" => Self::Identity,
            "trust" => Self::Trust,
            "scp" | "rcp" => Self::Scp,
            "boundary" | "session" => Self::Boundary,
            "s3" => Self::Resource(Service::S3),
            "kms" => Self::Resource(Service::Kms),
            "sns" => Self::Resource(Service::Sns),
            "sqs" => Self::Resource(Service::Sqs),
            "lambda" => Self::Resource(Service::Lambda),
            _ => Self::Resource(Service::Other),
        }
    }

    /// True for documents that name who may use them: trust and resource policies.
    pub fn names_principals(self) -> bool {
        matches!(self, Self::Trust | Self::Resource(_))
    }

    /// True for documents that can only take away: boundaries, session and organization policies.
    pub fn only_limits(self) -> bool {
        matches!(self, Self::Scp | Self::Boundary)
    }
}

/// The `Version` element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// `2008-10-17`, also when the element is missing: `${...}` is plain text.
    V2008,
    /// `2012-10-17`: policy variables are live.
    V2012,
}

/// A policy document.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// What it is attached to.
    pub kind: Kind,
    /// Language version.
    pub version: Version,
    /// The `Id` element.
    pub id: Option<Box<str>>,
    /// Statements in document order. A Deny that could not be read with certainty is left out.
    pub statements: Vec<Statement>,
    /// Everything in the text that is not as the policy grammar wants it.
    pub malformed: Vec<Malformed>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Position in the document, from 0.
    pub index: usize,
    /// The `Sid` element.
    pub sid: Option<Box<str>>,
    /// Allow or Deny.
    pub effect: Effect,
    /// `Principal` or `NotPrincipal`; absent in identity policies.
    pub principals: Option<Scope<Principal>>,
    /// `Action` or `NotAction`, patterns built by [`Pattern::action`].
    pub actions: Scope<Pattern>,
    /// `Resource` or `NotResource`, patterns built by [`Pattern::resource`]. A missing element
    /// (normal in trust policies) reads as `Only(["*"])`.
    pub resources: Scope<Pattern>,
    /// One entry for each operator and key; all of them must hold.
    pub conditions: Vec<Condition>,
    /// What the conditions amount to when there is no request to test them with.
    pub guard: Guard,
}

impl Statement {
    /// Whether it speaks of every resource, by a list that says so in one entry.
    pub(crate) fn covers_every_resource(&self) -> bool {
        match &self.resources {
            Scope::Only(patterns) => patterns.iter().any(Pattern::is_any),
            Scope::AllExcept(patterns) => patterns.is_empty(),
        }
    }
}

/// `Effect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Grants.
    Allow,
    /// Takes away, whatever else grants.
    Deny,
}

/// A list that either names what is meant, or names what is not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope<T> {
    /// `Action`, `Resource`, `Principal`: one of these.
    Only(Vec<T>),
    /// `NotAction`, `NotResource`, `NotPrincipal`: none of these.
    AllExcept(Vec<T>),
}

impl<T> Scope<T> {
    /// The entries, whichever way they are meant.
    pub fn entries(&self) -> &[T] {
        match self {
            Self::Only(entries) | Self::AllExcept(entries) => entries,
        }
    }

    /// True for the `Not...` form.
    pub fn is_negated(&self) -> bool {
        matches!(self, Self::AllExcept(_))
    }

    /// Whether something is in scope, given the test of a single entry.
    pub fn contains(&self, matches: impl FnMut(&T) -> bool) -> bool {
        match self {
            Self::Only(entries) => entries.iter().any(matches),
            Self::AllExcept(entries) => !entries.iter().any(matches),
        }
    }
}

/// One entry of `Principal`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Principal {
    /// `"*"` or `{"AWS": "*"}`: everybody, also without credentials.
    Everyone,
    /// An account: its 12 digits, from the bare id or from the root ARN.
    Account(Box<str>),
    /// A user, role or session, by ARN. Never a pattern: IAM allows no partial wildcard here.
    Arn(Box<str>),
    /// A unique id such as `AROA...`: what a deleted user or role leaves behind.
    UniqueId(Box<str>),
    /// A service such as `lambda.amazonaws.com`.
    Service(Box<str>),
    /// An identity provider: SAML or OIDC provider ARN, or a host name.
    Federated(Box<str>),
    /// An S3 canonical user id.
    CanonicalUser(Box<str>),
    /// Text that has none of these forms.
    Unreadable(Box<str>),
}

/// One operator applied to one key: `"StringEquals": {"aws:PrincipalOrgID": [...]}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Condition {
    /// The comparison.
    pub operator: Operator,
    /// The context key, folded to lower case (key names ignore case).
    pub key: Box<str>,
    /// The context key as written, for people.
    pub key_as_written: Box<str>,
    /// Any of these; for a negated operator none of these. Built to suit the operator:
    /// [`Pattern::like_value`], [`Pattern::arn_value`], [`Pattern::exact_value`] or [`Pattern::folded_value`];
    /// for numbers, dates, booleans, addresses the text is in [`Pattern::source`].
    pub values: Vec<Pattern>,
}

/// A condition operator, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operator {
    /// What is compared, and how.
    pub test: Test,
    /// The `Not` form (`StringNotLike`, `NotIpAddress`): true when no value matches, or the key is missing.
    pub negated: bool,
    /// `...IfExists`: true when the key is missing.
    pub if_exists: bool,
    /// `ForAnyValue:` or `ForAllValues:`.
    pub quantifier: Quantifier,
}

/// The comparison of an [`Operator`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Test {
    /// `StringEquals`.
    StringEquals,
    /// `StringEqualsIgnoreCase`.
    StringEqualsIgnoreCase,
    /// `StringLike`.
    StringLike,
    /// `ArnEquals` and `ArnLike`, which behave the same.
    Arn,
    /// `Numeric...`.
    Numeric(Comparison),
    /// `Date...`.
    Date(Comparison),
    /// `Bool`.
    Bool,
    /// `BinaryEquals`.
    Binary,
    /// `IpAddress`.
    IpAddress,
    /// `Null`: `true` asks that the key is missing.
    Null,
}

/// Order tests of numbers and dates: request value on the left, policy value on the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `...Equals`.
    Equal,
    /// `...LessThan`.
    Less,
    /// `...LessThanEquals`.
    LessOrEqual,
    /// `...GreaterThan`.
    Greater,
    /// `...GreaterThanEquals`.
    GreaterOrEqual,
}

/// How an operator treats several values of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantifier {
    /// No prefix: the key has one value.
    Single,
    /// `ForAnyValue:`: at least one; false when the key is missing.
    AnyValue,
    /// `ForAllValues:`: each one; true when the key is missing.
    AllValues,
}

impl Operator {
    /// Reads an operator name such as `ForAnyValue:StringLikeIfExists`. Names ignore case.
    pub fn from_name(name: &str) -> Option<Self> {
        let lower = name.trim().to_ascii_lowercase();
        let (quantifier, rest) = match lower.split_once(':') {
            None => (Quantifier::Single, lower.as_str()),
            Some(("foranyvalue", rest)) => (Quantifier::AnyValue, rest),
            Some(("forallvalues", rest)) => (Quantifier::AllValues, rest),
            Some(_) => return None,
        };
        let (base, if_exists) = match rest.strip_suffix("ifexists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let (test, negated) = base_operator(base)?;
        if test == Test::Null && if_exists {
            return None;
        }
        Some(Self { test, negated, if_exists, quantifier })
    }
}

impl fmt::Display for Operator {
    /// The name as IAM writes it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.quantifier {
            Quantifier::Single => {}
            Quantifier::AnyValue => out.write_str("ForAnyValue:")?,
            Quantifier::AllValues => out.write_str("ForAllValues:")?,
        }
        let not = if self.negated { "Not" } else { "" };
        match self.test {
            Test::StringEquals => write!(out, "String{not}Equals")?,
            Test::StringEqualsIgnoreCase => write!(out, "String{not}EqualsIgnoreCase")?,
            Test::StringLike => write!(out, "String{not}Like")?,
            Test::Arn => write!(out, "Arn{not}Like")?,
            Test::Numeric(comparison) => write!(out, "Numeric{not}{comparison}")?,
            Test::Date(comparison) => write!(out, "Date{not}{comparison}")?,
            Test::Bool => out.write_str("Bool")?,
            Test::Binary => out.write_str("BinaryEquals")?,
            Test::IpAddress => write!(out, "{not}IpAddress")?,
            Test::Null => out.write_str("Null")?,
        }
        out.write_str(if self.if_exists { "IfExists" } else { "" })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Equal => "Equals",
            Self::Less => "LessThan",
            Self::LessOrEqual => "LessThanEquals",
            Self::Greater => "GreaterThan",
            Self::GreaterOrEqual => "GreaterThanEquals",
        })
    }
}

/// Values of a condition repeated in its `Display` form; the others are counted.
const SHOWN_VALUES: usize = 3;

impl fmt::Display for Condition {
    /// `StringEquals aws:PrincipalOrgID [o-1, o-2]`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} [", self.operator, self.key_as_written)?;
        for (position, value) in self.values.iter().take(SHOWN_VALUES).enumerate() {
            write!(out, "{}{}", if position == 0 { "" } else { ", " }, value.source())?;
        }
        match self.values.len().saturating_sub(SHOWN_VALUES) {
            0 => out.write_str("]"),
            more => write!(out, ", and {more} more]"),
        }
    }
}

fn base_operator(name: &str) -> Option<(Test, bool)> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
    Some(match name {
        "stringequals" => (Test::StringEquals, false),
        "stringnotequals" => (Test::StringEquals, true),
        "stringequalsignorecase" => (Test::StringEqualsIgnoreCase, false),
        "stringnotequalsignorecase" => (Test::StringEqualsIgnoreCase, true),
        "stringlike" => (Test::StringLike, false),
        "stringnotlike" => (Test::StringLike, true),
        "arnequals" | "arnlike" => (Test::Arn, false),
        "arnnotequals" | "arnnotlike" => (Test::Arn, true),
        "numericequals" => (Test::Numeric(Equal), false),
        "numericnotequals" => (Test::Numeric(Equal), true),
        "numericlessthan" => (Test::Numeric(Less), false),
        "numericlessthanequals" => (Test::Numeric(LessOrEqual), false),
        "numericgreaterthan" => (Test::Numeric(Greater), false),
        "numericgreaterthanequals" => (Test::Numeric(GreaterOrEqual), false),
        "dateequals" => (Test::Date(Equal), false),
        "datenotequals" => (Test::Date(Equal), true),
        "datelessthan" => (Test::Date(Less), false),
        "datelessthanequals" => (Test::Date(LessOrEqual), false),
        "dategreaterthan" => (Test::Date(Greater), false),
        "dategreaterthanequals" => (Test::Date(GreaterOrEqual), false),
        "bool" => (Test::Bool, false),
        "binaryequals" => (Test::Binary, false),
        "ipaddress" => (Test::IpAddress, false),
        "notipaddress" => (Test::IpAddress, true),
        "null" => (Test::Null, false),
        _ => return None,
    })
}
