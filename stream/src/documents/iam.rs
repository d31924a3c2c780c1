//! One document from one account's IAM.

use std::error::Error;

use aws_sdk_iam::Client;
use aws_sdk_iam::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_iam::types::PolicyScopeType;
use detection::{DocumentName, DocumentRequest, Moment};
use percent_encoding::percent_decode_str;

use super::Miss;

/// Pages of policies searched for a name: IAM allows 5,000 customer managed policies in an account.
const MAX_PAGES: usize = 10;

/// Codes of errors that the same call will meet again. All others may pass.
const LASTING: [&str; 8] = [
    "AccessDenied",
    "AccessDeniedException",
    "NoSuchEntity",
    "NoSuchEntityException",
    "ValidationError",
    "InvalidInput",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
];

pub(super) async fn document(client: &Client, request: &DocumentRequest) -> Result<String, Miss> {
    let encoded = match (&request.name, request.moment) {
        (DocumentName::ManagedPolicy { arn, version: Some(version) }, _) => version_of(client, arn, version).await,
        (DocumentName::ManagedPolicy { arn, version: None }, Moment::After) => in_force(client, arn).await,
        (DocumentName::ManagedPolicy { arn, version: None }, Moment::Before) => before(client, arn).await,
        (DocumentName::PolicyNamed { name }, Moment::After) => {
            let arn = arn_of(client, name).await?;
            in_force(client, &arn).await
        }
        (DocumentName::InlinePolicy { holder_type, holder, policy }, Moment::After) => {
            inline(client, holder_type, holder, policy).await
        }
        (DocumentName::TrustPolicy { role }, Moment::After) => trust(client, role).await,
        // IAM forgets former inline and trust policies; the rest is no IAM.
        _ => Err(Miss::Never("documents of this sort cannot be looked up".to_owned())),
    }?;
    let decoded = percent_decode_str(&encoded).decode_utf8();
    decoded.map(String::from).map_err(|_| Miss::Never("the document is not UTF-8".to_owned()))
}

/// What a failed call means.
pub(super) fn miss(doing: &str, code: Option<&str>, error: &(impl Error + 'static)) -> Miss {
    let reason = match code {
        Some(code) => format!("{doing}: {code}"),
        None => format!("{doing}: {}", DisplayErrorContext(error)),
    };
    if code.is_some_and(|code| LASTING.contains(&code)) { Miss::Never(reason) } else { Miss::Later(reason) }
}

async fn version_of(client: &Client, arn: &str, version: &str) -> Result<String, Miss> {
    let reply = client.get_policy_version().policy_arn(arn).version_id(version).send().await;
    let reply = reply.map_err(|error| miss("GetPolicyVersion", error.code(), &error))?;
    text(reply.policy_version().and_then(|version| version.document()))
}

async fn in_force(client: &Client, arn: &str) -> Result<String, Miss> {
    let reply = client.get_policy().policy_arn(arn).send().await;
    let reply = reply.map_err(|error| miss("GetPolicy", error.code(), &error))?;
    let version = text(reply.policy().and_then(|policy| policy.default_version_id()))?;
    version_of(client, arn, &version).await
}

/// The version that was in force before the present one. IAM does not say which one that was; with two versions there is
/// no doubt, with more there is.
async fn before(client: &Client, arn: &str) -> Result<String, Miss> {
    let reply = client.list_policy_versions().policy_arn(arn).send().await;
    let reply = reply.map_err(|error| miss("ListPolicyVersions", error.code(), &error))?;
    let others: Vec<_> = reply.versions().iter().filter(|version| !version.is_default_version()).collect();
    match others.as_slice() {
        [only] => version_of(client, arn, only.version_id().unwrap_or_default()).await,
        _ => Err(Miss::Never("IAM does not tell which version was in force before".to_owned())),
    }
}

async fn arn_of(client: &Client, name: &str) -> Result<String, Miss> {
    let mut marker = None;
    for _ in 0..MAX_PAGES {
        let call = client.list_policies().scope(PolicyScopeType::Local).max_items(1000).set_marker(marker);
        let reply = call.send().await.map_err(|error| miss("ListPolicies", error.code(), &error))?;
        if let Some(policy) = reply.policies().iter().find(|policy| policy.policy_name() == Some(name)) {
            return text(policy.arn());
        }
        marker = reply.marker().map(str::to_owned);
        if marker.is_none() {
            break;
        }
    }
    Err(Miss::Never("no policy of this name".to_owned()))
}

async fn inline(client: &Client, holder_type: &str, holder: &str, policy: &str) -> Result<String, Miss> {
    match holder_type {
        "user" => {
            let reply = client.get_user_policy().user_name(holder).policy_name(policy).send().await;
            reply.map(|reply| reply.policy_document).map_err(|error| miss("GetUserPolicy", error.code(), &error))
        }
        "role" => {
            let reply = client.get_role_policy().role_name(holder).policy_name(policy).send().await;
            reply.map(|reply| reply.policy_document).map_err(|error| miss("GetRolePolicy", error.code(), &error))
        }
        "group" => {
            let reply = client.get_group_policy().group_name(holder).policy_name(policy).send().await;
            reply.map(|reply| reply.policy_document).map_err(|error| miss("GetGroupPolicy", error.code(), &error))
        }
        _ => Err(Miss::Never(format!("inline policies of a {holder_type} cannot be looked up"))),
    }
}

async fn trust(client: &Client, role: &str) -> Result<String, Miss> {
    let reply = client.get_role().role_name(role).send().await;
    let reply = reply.map_err(|error| miss("GetRole", error.code(), &error))?;
    text(reply.role().and_then(|role| role.assume_role_policy_document()))
}

fn text(found: Option<&str>) -> Result<String, Miss> {
    found.map(str::to_owned).ok_or_else(|| Miss::Never("IAM answered without a document".to_owned()))
}
