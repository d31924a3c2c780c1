//! Who else a trust policy or resource policy lets in.

use std::collections::BTreeMap;

use crate::document::{Effect, Kind, Policy, Principal, Scope, Service, Statement};
use crate::federation::unrestricted_provider;
use crate::grants::{Certainty, Evidence, Finding, conditions_in_words, stronger};
use crate::guard::Guard;
use crate::pattern::Pattern;
use crate::restriction::{denies_the_rest, names_accounts, names_source, restricts_callers, restricts_to_external_id};

/// What surrounds the document: which accounts are one's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Account the document belongs to, 12 digits. Without it the resource ARNs may tell.
    pub account: Option<String>,
    /// Organization, such as `o-a1b2c3d4e5`.
    pub organization: Option<String>,
    /// Other accounts that may be let in.
    pub trusted_accounts: Vec<String>,
}

/// Everything a trust or resource policy gives away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Anybody is let in, no condition ties it to an account, organization or network.
    pub public: Option<Finding>,
    /// Accounts outside the own and the trusted ones, sorted, each with the statement that lets it in.
    pub cross_account: Vec<(String, Finding)>,
    /// Organizations other than one's own that are let in as a whole.
    pub other_organizations: Vec<(String, Finding)>,
    /// A role that accounts outside may assume without an external id.
    pub external_id_missing: Option<Finding>,
    /// A role that any user of an OIDC provider may assume.
    pub oidc_unrestricted: Option<Finding>,
    /// A service is let in, whoever it acts for.
    pub confused_deputy: Option<Finding>,
}

impl Policy {
    /// Judges a trust or resource policy; other documents name nobody and expose nothing.
    pub fn exposure(&self, surroundings: &Surroundings) -> Exposure {
        let mut exposure = Exposure::default();
        if !self.kind.names_principals() {
            return exposure;
        }
        let home = Home { account: self.own_account(surroundings), surroundings };
        let mut accounts: BTreeMap<String, Finding> = BTreeMap::new();
        let mut organizations: BTreeMap<String, Finding> = BTreeMap::new();
        let allows = self.statements.iter().filter(|s| s.effect == Effect::Allow && s.guard != Guard::Never);
        for statement in allows {
            exposure.public = stronger(exposure.public.take(), self.public_by(statement));
            for (account, principal) in home.accounts_let_in(statement) {
                accounts.entry(account).or_insert_with(|| found(statement, &principal));
            }
            for organization in home.organizations_let_in(statement) {
                organizations.entry(organization).or_insert_with(|| found(statement, "aws:PrincipalOrgID"));
            }
            if self.kind == Kind::Trust {
                let missing = home.external_id_missing(statement);
                exposure.external_id_missing = stronger(exposure.external_id_missing.take(), missing);
                let open = unrestricted_provider(statement).map(|provider| found(statement, provider));
                exposure.oidc_unrestricted = stronger(exposure.oidc_unrestricted.take(), open);
            }
            let deputy = self.deputy(statement).map(|service| found(statement, service));
            exposure.confused_deputy = stronger(exposure.confused_deputy.take(), deputy);
        }
        exposure.cross_account = accounts.into_iter().collect();
        exposure.other_organizations = organizations.into_iter().collect();
        exposure
    }

    /// The account given, or the one the resource ARNs (for a key: the default statement) speak of.
    fn own_account(&self, surroundings: &Surroundings) -> Option<String> {
        if surroundings.account.is_some() {
            return surroundings.account.clone();
        }
        let of_arn = |pattern: &Pattern| crate::restriction::account_of_arn(pattern.source()).map(str::to_owned);
        let of_resource = self.statements.iter().flat_map(|s| s.resources.entries()).find_map(of_arn);
        let of_key = || {
            let default = self.statements.iter().find(|statement| is_default_key_statement(statement))?;
            match default.principals.as_ref()?.entries() {
                [Principal::Account(account)] => Some(account.to_string()),
                _ => None,
            }
        };
        of_resource.or_else(|| if self.kind == Kind::Resource(Service::Kms) { of_key() } else { None })
    }

    fn public_by(&self, statement: &Statement) -> Option<Finding> {
        let principal = match statement.principals.as_ref()? {
            Scope::Only(principals) => principals.contains(&Principal::Everyone).then_some("*")?,
            Scope::AllExcept(_) => "NotPrincipal",
        };
        if statement.conditions.iter().any(restricts_callers) || !self.left_by_denies(statement) {
            return None;
        }
        Some(found(statement, principal))
    }

    /// Whether the Denies that hold for all strangers leave anything of this Allow.
    fn left_by_denies(&self, statement: &Statement) -> bool {
        let mut denies: Vec<Statement> = self.statements.iter().filter(|deny| denies_the_rest(deny)).cloned().collect();
        if denies.is_empty() {
            return true;
        }
        denies.iter_mut().for_each(|deny| deny.guard = Guard::Open);
        denies.push(statement.clone());
        let rest =
            Policy { kind: self.kind, version: self.version, id: None, statements: denies, malformed: Vec::new() };
        rest.grants("*").is_some()
    }

    /// A service principal that may be made to act for somebody else.
    fn deputy<'s>(&self, statement: &'s Statement) -> Option<&'s str> {
        if statement.conditions.iter().any(names_source) {
            return None;
        }
        let Some(Scope::Only(principals)) = &statement.principals else { return None };
        principals.iter().find_map(|principal| match principal {
            Principal::Service(service) if self.kind != Kind::Trust || acts_for_others(service) => Some(&**service),
            _ => None,
        })
    }
}

/// Services that assume a role for whoever configured them, in whichever account: the trust policies in their
/// guides carry `aws:SourceAccount`. A role of the others is handed over with `iam:PassRole` and needs none.
fn acts_for_others(service: &str) -> bool {
    const SERVICES: [&str; 7] = ["bedrock", "cloudtrail", "pipes", "scheduler", "sns", "transfer", "vmie"];
    let name = service.split('.').next().unwrap_or_default();
    SERVICES.contains(&name)
}

/// `kms:*` for the account itself: what every key starts with.
fn is_default_key_statement(statement: &Statement) -> bool {
    let all = statement.actions.contains(|pattern| pattern.source().eq_ignore_ascii_case("kms:*"));
    statement.effect == Effect::Allow && all
}

/// One's own account, the trusted ones, and the question whether somebody is outside.
struct Home<'s> {
    account: Option<String>,
    surroundings: &'s Surroundings,
}

impl Home<'_> {
    fn is_outside(&self, account: &str) -> bool {
        let own = self.account.as_deref() == Some(account);
        !own && !self.surroundings.trusted_accounts.iter().any(|trusted| trusted == account)
    }

    /// Accounts outside that the statement names, with the words it uses: as principals, or in conditions
    /// that narrow everybody down to an account.
    fn accounts_let_in(&self, statement: &Statement) -> Vec<(String, String)> {
        let Some(Scope::Only(principals)) = &statement.principals else { return Vec::new() };
        let mut accounts = Vec::new();
        for principal in principals {
            match principal {
                Principal::Account(account) => accounts.push((account.to_string(), account.to_string())),
                Principal::Arn(arn) => {
                    let account = crate::restriction::account_of_arn(arn);
                    accounts.extend(account.map(|account| (account.to_owned(), arn.to_string())));
                }
                Principal::Everyone => {
                    let named = statement.conditions.iter().flat_map(names_accounts);
                    accounts.extend(named.map(|account| (account.clone(), account)));
                }
                _ => {}
            }
        }
        accounts.retain(|(account, _)| self.is_outside(account));
        accounts
    }

    fn organizations_let_in(&self, statement: &Statement) -> Vec<String> {
        let Some(own) = &self.surroundings.organization else { return Vec::new() };
        let of_key = statement.conditions.iter().filter(|c| &*c.key == "aws:principalorgid" && !c.operator.negated);
        let values = of_key.flat_map(|condition| &condition.values).map(Pattern::source);
        values.filter(|value| *value != own).map(str::to_owned).collect()
    }

    fn external_id_missing(&self, statement: &Statement) -> Option<Finding> {
        let assumes = statement.actions.contains(|pattern| pattern.matches("sts:assumerole"));
        if !assumes || statement.conditions.iter().any(|c| restricts_to_external_id(c) || self.is_own_organization(c)) {
            return None;
        }
        let Some(Scope::Only(principals)) = &statement.principals else { return None };
        let anybody = principals.contains(&Principal::Everyone) && !statement.conditions.iter().any(restricts_callers);
        let outside = self.accounts_let_in(statement).into_iter().map(|(_, principal)| principal).next();
        outside.or_else(|| anybody.then(|| "*".to_owned())).map(|principal| found(statement, &principal))
    }

    fn is_own_organization(&self, condition: &crate::document::Condition) -> bool {
        let organization = self.surroundings.organization.as_deref();
        matches!(&*condition.key, "aws:principalorgid" | "aws:principalorgpaths")
            && restricts_callers(condition)
            && organization.is_none_or(|own| condition.values.iter().all(|value| value.source().starts_with(own)))
    }
}

/// A finding about who is let in; the pattern is the principal.
fn found(statement: &Statement, principal: &str) -> Finding {
    let open = statement.guard == Guard::Open;
    let first = |scope: &Scope<Pattern>| scope.entries().first().map_or("*", Pattern::source).to_owned();
    Finding {
        certainty: if open { Certainty::Must } else { Certainty::May },
        evidence: Evidence {
            statement: statement.index,
            sid: statement.sid.as_deref().map(str::to_owned),
            pattern: principal.to_owned(),
            action: first(&statement.actions),
            resource: first(&statement.resources),
            unless: if open { Vec::new() } else { conditions_in_words(statement) },
        },
    }
}
