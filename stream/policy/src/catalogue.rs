//! What was known when this crate was built: actions, resource types, and the documents of AWS-managed policies.
//!
//! The catalogue only enriches. It ages, so nothing may be concluded from a name that is missing here; whoever
//! asks must treat an unknown action or policy as the worst it could be. [`DATE`] tells how old it is.
//!
//! The files are written by `catalogue/generate.py` and unpacked when first asked for.

use std::io::Read;
use std::sync::LazyLock;

use flate2::read::GzDecoder;

/// Date of the newest source, `YYYY-MM-DD`.
pub const DATE: &str = include_str!("../catalogue/date.txt");

/// Account part of the ARN of every AWS-managed policy.
const AWS_ACCOUNT: &str = "aws";

static ACTIONS: LazyLock<Table> = LazyLock::new(|| Table::unpack(include_bytes!("../catalogue/actions.tsv.gz")));
static RESOURCE_TYPES: LazyLock<Table> =
    LazyLock::new(|| Table::unpack(include_bytes!("../catalogue/resource-types.tsv.gz")));
static MANAGED_POLICIES: LazyLock<Table> =
    LazyLock::new(|| Table::unpack(include_bytes!("../catalogue/managed-policies.tsv.gz")));

/// What an action does, in the words of the service authorization reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccessLevel {
    /// Reads names, not contents.
    List,
    /// Reads contents.
    Read,
    /// Changes tags only.
    Tagging,
    /// Creates, changes or deletes.
    Write,
    /// Changes who may do what.
    PermissionsManagement,
    /// The action is known, its level is not. Treat it as the worst.
    Unknown,
}

/// A known action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionInfo {
    /// Service and name, as AWS spells them: `iam:CreateUser`.
    pub name: &'static str,
    /// What it does. Of several levels the one that matters most: permissions, write, tagging, read, list.
    pub access_level: AccessLevel,
    resource_types: &'static str,
}

impl ActionInfo {
    /// Types of resources it works on, such as `user`; none when it takes `*` only or when they are not known.
    pub fn resource_types(&self) -> impl Iterator<Item = &'static str> {
        self.resource_types.split(',').filter(|kind| !kind.is_empty())
    }
}

/// A bundled AWS-managed policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManagedPolicy {
    /// Its name.
    pub name: &'static str,
    /// Its ARN in the commercial partition. The path is a guess where the source had none.
    pub arn: &'static str,
    /// Its version at [`DATE`], such as `v5`; empty when not known.
    pub version: &'static str,
    /// The document.
    pub document: &'static str,
}

/// Looks up an action; case does not matter.
pub fn action(service: &str, name: &str) -> Option<ActionInfo> {
    let row = ACTIONS.find(&format!("{service}:{name}"), true)?;
    Some(action_of(row))
}

/// All known actions, sorted by lower-case name.
pub fn actions() -> impl Iterator<Item = ActionInfo> {
    ACTIONS.rows().map(action_of)
}

/// The ARN of a resource type with `${...}` for its parts, such as `arn:${Partition}:iam::${Account}:user/...`.
pub fn resource_arn(service: &str, resource_type: &str) -> Option<&'static str> {
    RESOURCE_TYPES.find(&format!("{service}/{resource_type}"), false)?.split('\t').nth(1)
}

/// The document of an AWS-managed policy, by its ARN (any partition, any path) or its bare name.
pub fn managed_policy(arn_or_name: &str) -> Option<&'static str> {
    managed(arn_or_name).map(|policy| policy.document)
}

/// An AWS-managed policy, by its ARN (any partition, any path) or its bare name.
pub fn managed(arn_or_name: &str) -> Option<ManagedPolicy> {
    let name = match arn_or_name.strip_prefix("arn:") {
        None => arn_or_name,
        Some(rest) => {
            let mut parts = rest.splitn(5, ':');
            let (_partition, service, _region) = (parts.next()?, parts.next()?, parts.next()?);
            let (account, resource) = (parts.next()?, parts.next()?);
            if service != "iam" || account != AWS_ACCOUNT {
                return None;
            }
            resource.strip_prefix("policy/")?.rsplit('/').next()?
        }
    };
    managed_of(MANAGED_POLICIES.find(name, false)?)
}

/// All bundled AWS-managed policies, sorted by name.
pub fn managed_policies() -> impl Iterator<Item = ManagedPolicy> {
    MANAGED_POLICIES.rows().filter_map(managed_of)
}

fn action_of(row: &'static str) -> ActionInfo {
    let mut cells = row.split('\t');
    ActionInfo {
        name: cells.next().unwrap_or_default(),
        access_level: match cells.next() {
            Some("L") => AccessLevel::List,
            Some("R") => AccessLevel::Read,
            Some("T") => AccessLevel::Tagging,
            Some("W") => AccessLevel::Write,
            Some("P") => AccessLevel::PermissionsManagement,
            _ => AccessLevel::Unknown,
        },
        resource_types: cells.next().unwrap_or_default(),
    }
}

fn managed_of(row: &'static str) -> Option<ManagedPolicy> {
    let mut cells = row.splitn(4, '\t');
    let (name, arn, version, document) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    Some(ManagedPolicy { name, arn, version, document })
}

/// Lines sorted by their first cell.
#[derive(Debug)]
struct Table {
    text: String,
    /// Where each line begins.
    starts: Vec<u32>,
}

impl Table {
    /// Unpacks a file that is part of this crate; `tests/catalogue.rs` proves that it can be unpacked.
    fn unpack(packed: &[u8]) -> Table {
        let mut text = String::new();
        if GzDecoder::new(packed).read_to_string(&mut text).is_err() {
            text.clear();
        }
        let ends = text.match_indices('\n').map(|(at, _)| at as u32 + 1);
        let mut starts: Vec<u32> = std::iter::once(0).chain(ends).collect();
        starts.pop();
        Table { text, starts }
    }

    fn row(&self, start: u32) -> &str {
        let rest = self.text.get(start as usize..).unwrap_or_default();
        rest.split('\n').next().unwrap_or_default()
    }

    fn rows(&self) -> impl Iterator<Item = &str> {
        self.text.lines()
    }

    /// The line with this first cell.
    fn find(&self, key: &str, fold: bool) -> Option<&str> {
        let key_byte = |byte: u8| if fold { byte.to_ascii_lowercase() } else { byte };
        // Only the first cell is looked at: a line may hold a document of many kilobytes.
        let order = |start: &u32| {
            let line = self.text.as_bytes().get(*start as usize..).unwrap_or_default();
            let cell = line.iter().copied().take_while(|byte| !matches!(byte, b'\t' | b'\n'));
            cell.map(key_byte).cmp(key.bytes().map(key_byte))
        };
        let at = self.starts.binary_search_by(order).ok()?;
        Some(self.row(*self.starts.get(at)?))
    }
}
