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

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "111122223333";

    fn library(files: &[(&str, Value)]) -> Result<PolicyLibrary, PoliciesError> {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in files {
            fs::write(folder.path().join(name), value.to_string()).unwrap();
        }
        PolicyLibrary::load(folder.path())
    }

    fn dump() -> Value {
        let document =
            |action: &str| serde_json::json!({"Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}});
        serde_json::json!({
            "UserDetailList": [],
            "RoleDetailList": [{
                "Arn": "arn:aws:iam::111122223333:role/app", "RoleName": "app",
                "AssumeRolePolicyDocument": {"Statement": []},
                "RolePolicyList": [{"PolicyName": "inline", "PolicyDocument": document("s3:GetObject")}],
            }],
            "Policies": [{
                "Arn": "arn:aws:iam::111122223333:policy/tools", "PolicyName": "tools", "DefaultVersionId": "v2",
                "PolicyVersionList": [
                    {"VersionId": "v2", "IsDefaultVersion": true, "Document": document("*")},
                    {"VersionId": "v1", "IsDefaultVersion": false, "Document": "%7B%7D"},
                ],
            }],
            "IsTruncated": false,
        })
    }

    fn ask(library: &PolicyLibrary, name: DocumentName, moment: Moment) -> Option<String> {
        library.find(&DocumentRequest { account_id: ACCOUNT.to_owned(), name, moment }).map(str::to_owned)
    }

    #[test]
    fn an_account_dump_answers_for_managed_inline_and_trust_policies() {
        let library = library(&[("dump.json", dump()), ("notes.txt", Value::Null)]).unwrap();
        assert_eq!(library.len(), 3);
        let arn = "arn:aws:iam::111122223333:policy/tools".to_owned();
        let managed = |version: Option<&str>| DocumentName::ManagedPolicy {
            arn: arn.clone(),
            version: version.map(str::to_owned),
        };
        assert!(ask(&library, managed(None), Moment::After).unwrap().contains(r#""Action":"*""#));
        assert_eq!(ask(&library, managed(Some("v1")), Moment::After).as_deref(), Some("%7B%7D"));
        assert_eq!(ask(&library, managed(Some("v9")), Moment::After), None);
        assert!(ask(&library, DocumentName::PolicyNamed { name: "tools".to_owned() }, Moment::After).is_some());
        let inline =
            DocumentName::InlinePolicy { holder_type: "role", holder: "app".to_owned(), policy: "inline".to_owned() };
        assert!(ask(&library, inline, Moment::Before).unwrap().contains("s3:GetObject"));
        let trust = || DocumentName::TrustPolicy { role: "app".to_owned() };
        assert!(ask(&library, trust(), Moment::Before).is_some());
        assert_eq!(ask(&library, trust(), Moment::After), None, "what a change left behind is in no older dump");
    }

    #[test]
    fn an_object_of_arn_to_document_answers_for_its_arns() {
        let arn = "arn:aws:iam::111122223333:policy/one";
        let library = library(&[("map.json", serde_json::json!({arn: {"Statement": []}}))]).unwrap();
        let name = DocumentName::ManagedPolicy { arn: arn.to_owned(), version: None };
        assert_eq!(ask(&library, name, Moment::After).as_deref(), Some(r#"{"Statement":[]}"#));
    }

    #[test]
    fn a_file_of_another_shape_is_named_with_what_was_expected() {
        for wrong in [serde_json::json!([]), serde_json::json!({"Version": "2012-10-17", "Statement": []})] {
            let error = library(&[("wrong.json", wrong)]).unwrap_err().to_string();
            assert!(error.contains("wrong.json") && error.contains("get-account-authorization-details"), "{error}");
        }
        assert!(PolicyLibrary::load(Path::new("no-such-folder")).unwrap_err().to_string().contains("no-such-folder"));
    }
}
