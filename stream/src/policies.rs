//! Policy documents from files, for judging events that only name a policy when no AWS account is at hand.
//!
//! A file is the output of `aws iam get-account-authorization-details`, or one object that maps policy ARNs to documents.
//! It is taken as the state in force before the first event that is judged.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use detection::{DocumentName, DocumentRequest, Documents, Moment};
use serde::Deserialize;
use serde_json::Value;
use walkdir::WalkDir;

/// Why the documents could not be had.
#[derive(Debug, thiserror::Error)]
pub enum PoliciesError {
    /// A file or folder could not be read.
    #[error("cannot read policies from {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is JSON of neither shape.
    #[error(
        "{}: {reason}; expected the output of `aws iam get-account-authorization-details` or an object of ARN to document",
        path.display()
    )]
    Shape {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// The lists of `get-account-authorization-details`.
const LISTS: [&str; 4] = ["UserDetailList", "RoleDetailList", "GroupDetailList", "Policies"];

/// Documents of one or more accounts.
#[derive(Debug, Default)]
pub struct PolicyLibrary {
    managed: HashMap<String, ManagedPolicy>,
    inline: HashMap<Inline, String>,
    trust: HashMap<(String, String), String>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Inline {
    account_id: String,
    holder_type: &'static str,
    holder: String,
    policy: String,
}

#[derive(Debug, Default)]
struct ManagedPolicy {
    default: Option<String>,
    versions: HashMap<String, String>,
}

impl PolicyLibrary {
    /// Reads a file, or every `.json` file of a folder.
    pub fn load(path: &Path) -> Result<PolicyLibrary, PoliciesError> {
        let mut library = PolicyLibrary::default();
        for entry in WalkDir::new(path).sort_by_file_name() {
            let entry = entry.map_err(|error| PoliciesError::Read {
                path: error.path().unwrap_or(path).to_path_buf(),
                source: error.into(),
            })?;
            let named = entry.depth() == 0 || entry.path().extension().is_some_and(|ending| ending == "json");
            if entry.file_type().is_file() && named {
                library.read(entry.path())?;
            }
        }
        Ok(library)
    }

    /// Documents known, of every sort.
    pub fn len(&self) -> usize {
        self.managed.len() + self.inline.len() + self.trust.len()
    }

    /// Whether no document is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is known of the documents asked for. What is not known stays out: it is judged as not visible.
    pub fn answer(&self, requests: &[DocumentRequest]) -> Documents {
        let mut documents = Documents::none();
        for request in requests {
            if let Some(text) = self.find(request) {
                documents.insert(request.clone(), Some(text.to_owned()));
            }
        }
        documents
    }

    fn find(&self, request: &DocumentRequest) -> Option<&str> {
        let account_id = request.account_id.as_str();
        let text = match &request.name {
            DocumentName::ManagedPolicy { arn, version } => return self.managed_document(arn, version.as_deref()),
            DocumentName::PolicyNamed { name } => {
                return self.managed_document(&format!("arn:aws:iam::{account_id}:policy/{name}"), None);
            }
            DocumentName::InlinePolicy { holder_type, holder, policy } => self.inline.get(&Inline {
                account_id: account_id.to_owned(),
                holder_type,
                holder: holder.clone(),
                policy: policy.clone(),
            }),
            // The state before the first event says nothing of what a change left behind.
            DocumentName::TrustPolicy { role } if request.moment == Moment::Before => {
                self.trust.get(&(account_id.to_owned(), role.clone()))
            }
            DocumentName::TrustPolicy { .. }
            | DocumentName::OrganizationPolicy { .. }
            | DocumentName::ResourcePolicy { .. } => None,
        };
        text.map(String::as_str)
    }

    fn managed_document(&self, arn: &str, version: Option<&str>) -> Option<&str> {
        let policy = self.managed.get(arn)?;
        let version = version.or(policy.default.as_deref())?;
        policy.versions.get(version).map(String::as_str)
    }

    fn read(&mut self, path: &Path) -> Result<(), PoliciesError> {
        let text =
            fs::read_to_string(path).map_err(|source| PoliciesError::Read { path: path.to_path_buf(), source })?;
        let shape = |reason: String| PoliciesError::Shape { path: path.to_path_buf(), reason };
        let value: Value = serde_json::from_str(&text).map_err(|error| shape(error.to_string()))?;
        let Value::Object(members) = &value else { return Err(shape("not a JSON object".to_owned())) };
        if members.keys().all(|key| key.starts_with("arn:")) {
            for (arn, document) in members {
                self.add_managed(arn, "v1", true, document);
            }
            return Ok(());
        }
        if !members.keys().any(|key| LISTS.contains(&key.as_str())) {
            return Err(shape("it has none of the lists of an account's authorization details".to_owned()));
        }
        let dump: Dump = serde_json::from_value(value).map_err(|error| shape(error.to_string()))?;
        self.add_dump(dump);
        Ok(())
    }

    fn add_dump(&mut self, dump: Dump) {
        for policy in dump.policies {
            for version in &policy.versions {
                self.add_managed(&policy.arn, &version.id, version.is_default, &version.document);
            }
        }
        for (holder_type, holders) in [("user", dump.users), ("role", dump.roles), ("group", dump.groups)] {
            for holder in holders {
                self.add_holder(holder_type, holder);
            }
        }
    }

    fn add_managed(&mut self, arn: &str, version: &str, is_default: bool, document: &Value) {
        let policy = self.managed.entry(arn.to_owned()).or_default();
        policy.versions.insert(version.to_owned(), text_of(document));
        if is_default {
            policy.default = Some(version.to_owned());
        }
    }

    fn add_holder(&mut self, holder_type: &'static str, holder: Holder) {
        let account_id = holder.arn.split(':').nth(4).unwrap_or_default().to_owned();
        for policy in holder.policies {
            let key = Inline {
                account_id: account_id.clone(),
                holder_type,
                holder: holder.name.clone(),
                policy: policy.name,
            };
            self.inline.insert(key, text_of(&policy.document));
        }
        if let Some(trust) = holder.trust {
            self.trust.insert((account_id, holder.name), text_of(&trust));
        }
    }
}

/// The CLI prints documents as objects; the API itself answers URL-encoded text.
fn text_of(document: &Value) -> String {
    document.as_str().map_or_else(|| document.to_string(), str::to_owned)
}

#[derive(Deserialize)]
struct Dump {
    #[serde(default, rename = "UserDetailList")]
    users: Vec<Holder>,
    #[serde(default, rename = "RoleDetailList")]
    roles: Vec<Holder>,
    #[serde(default, rename = "GroupDetailList")]
    groups: Vec<Holder>,
    #[serde(default, rename = "Policies")]
    policies: Vec<Managed>,
}

#[derive(Deserialize)]
struct Holder {
    #[serde(rename = "Arn")]
    arn: String,
    #[serde(alias = "UserName", alias = "RoleName", alias = "GroupName")]
    name: String,
    #[serde(default, alias = "UserPolicyList", alias = "RolePolicyList", alias = "GroupPolicyList")]
    policies: Vec<InlinePolicy>,
    #[serde(rename = "AssumeRolePolicyDocument")]
    trust: Option<Value>,
}

#[derive(Deserialize)]
struct InlinePolicy {
    #[serde(rename = "PolicyName")]
    name: String,
    #[serde(rename = "PolicyDocument")]
    document: Value,
}

#[derive(Deserialize)]
struct Managed {
    #[serde(rename = "Arn")]
    arn: String,
    #[serde(default, rename = "PolicyVersionList")]
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "VersionId")]
    id: String,
    #[serde(default, rename = "IsDefaultVersion")]
    is_default: bool,
    #[serde(rename = "Document")]
    document: Value,
}
