//! What a change was made to: its type, and its ARN where the event says enough to write it down.

use crate::event::CloudTrailEvent;
use crate::event::UNKNOWN_ACCOUNT;

/// The type of what was changed; the column `target_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetType {
    /// IAM user.
    User,
    /// IAM role.
    Role,
    /// IAM group.
    Group,
    /// Managed policy of IAM.
    Policy,
    /// AWS account.
    Account,
    /// User or group of IAM Identity Center.
    Principal,
    /// S3 access point.
    AccessPoint,
    /// Analyzer of IAM Access Analyzer.
    Analyzer,
    /// S3 bucket.
    Bucket,
    /// EKS cluster.
    Cluster,
    /// Document of Systems Manager.
    Document,
    /// Domain of OpenSearch.
    Domain,
    /// Identity of SES.
    EmailIdentity,
    /// Bus of EventBridge.
    EventBus,
    /// Name given to `sts:GetFederationToken`.
    FederatedUser,
    /// EFS file system.
    FileSystem,
    /// Lambda function.
    Function,
    /// Identity pool of Cognito.
    IdentityPool,
    /// EC2 image.
    Image,
    /// EC2 instance.
    Instance,
    /// Instance profile.
    InstanceProfile,
    /// Glue job.
    Job,
    /// KMS key.
    Key,
    /// Lambda layer.
    Layer,
    /// MFA device.
    MfaDevice,
    /// OpenID Connect provider.
    OidcProvider,
    /// The organization itself.
    Organization,
    /// SCP, RCP or another policy of the organization.
    OrganizationPolicy,
    /// Root, unit or account a policy of the organization is attached to.
    OrganizationTarget,
    /// Permission set of IAM Identity Center.
    PermissionSet,
    /// CodeBuild project.
    Project,
    /// SQS queue.
    Queue,
    /// Repository of ECR or CodeArtifact.
    Repository,
    /// Any resource, named by ARN.
    Resource,
    /// Share of Resource Access Manager.
    ResourceShare,
    /// REST API of API Gateway.
    RestApi,
    /// Profile of Roles Anywhere.
    RolesAnywhereProfile,
    /// SAML provider.
    SamlProvider,
    /// Secret of Secrets Manager.
    Secret,
    /// Snapshot of EC2, RDS or Redshift.
    Snapshot,
    /// CloudFormation stack.
    Stack,
    /// Kinesis stream.
    Stream,
    /// DynamoDB table.
    Table,
    /// ECS task definition.
    TaskDefinition,
    /// SNS topic.
    Topic,
    /// Trust anchor of Roles Anywhere.
    TrustAnchor,
    /// Vault of Backup or Glacier.
    Vault,
    /// VPC endpoint.
    VpcEndpoint,
}

impl TargetType {
    /// The name as written in rows: `user`, `instance_profile`.
    pub fn as_str(self) -> &'static str {
        match self {
            TargetType::User => "user",
            TargetType::Role => "role",
            TargetType::Group => "group",
            TargetType::Policy => "policy",
            TargetType::Account => "account",
            TargetType::Principal => "principal",
            TargetType::AccessPoint => "access_point",
            TargetType::Analyzer => "analyzer",
            TargetType::Bucket => "bucket",
            TargetType::Cluster => "cluster",
            TargetType::Document => "document",
            TargetType::Domain => "domain",
            TargetType::EmailIdentity => "email_identity",
            TargetType::EventBus => "event_bus",
            TargetType::FederatedUser => "federated_user",
            TargetType::FileSystem => "file_system",
            TargetType::Function => "function",
            TargetType::IdentityPool => "identity_pool",
            TargetType::Image => "image",
            TargetType::Instance => "instance",
            TargetType::InstanceProfile => "instance_profile",
            TargetType::Job => "job",
            TargetType::Key => "key",
            TargetType::Layer => "layer",
            TargetType::MfaDevice => "mfa_device",
            TargetType::OidcProvider => "oidc_provider",
            TargetType::Organization => "organization",
            TargetType::OrganizationPolicy => "organization_policy",
            TargetType::OrganizationTarget => "organization_target",
            TargetType::PermissionSet => "permission_set",
            TargetType::Project => "project",
            TargetType::Queue => "queue",
            TargetType::Repository => "repository",
            TargetType::Resource => "resource",
            TargetType::ResourceShare => "resource_share",
            TargetType::RestApi => "rest_api",
            TargetType::RolesAnywhereProfile => "roles_anywhere_profile",
            TargetType::SamlProvider => "saml_provider",
            TargetType::Secret => "secret",
            TargetType::Snapshot => "snapshot",
            TargetType::Stack => "stack",
            TargetType::Stream => "stream",
            TargetType::Table => "table",
            TargetType::TaskDefinition => "task_definition",
            TargetType::Topic => "topic",
            TargetType::TrustAnchor => "trust_anchor",
            TargetType::Vault => "vault",
            TargetType::VpcEndpoint => "vpc_endpoint",
        }
    }
}

/// The ARN of `name`, where type, account, region and partition determine it. The path of an IAM user or role is not in
/// most requests: such an ARN has none, though the real one may.
/// Source: Service Authorization Reference, resource types of each service.
pub(super) fn arn_of(event: &CloudTrailEvent<'_>, target: TargetType, name: &str) -> Option<String> {
    if name.starts_with("arn:") {
        return Some(name.to_owned());
    }
    if name.is_empty() || name.contains(char::is_whitespace) {
        return None;
    }
    let partition = event.partition();
    if target == TargetType::Bucket {
        return Some(format!("arn:{partition}:s3:::{name}"));
    }
    let account = Some(event.account_id()).filter(|account| *account != UNKNOWN_ACCOUNT)?;
    if let Some(kind) = iam_segment(target) {
        return Some(format!("arn:{partition}:iam::{account}:{kind}{name}"));
    }
    let region = event.aws_region.as_deref()?;
    let (service, owner, resource) = match target {
        TargetType::Function => ("lambda", account, format!("function:{name}")),
        TargetType::Key if !name.starts_with("alias/") => ("kms", account, format!("key/{name}")),
        TargetType::Topic => ("sns", account, name.to_owned()),
        TargetType::Queue => ("sqs", account, name.rsplit('/').next()?.to_owned()),
        TargetType::Repository if event.event_source == "ecr.amazonaws.com" => {
            ("ecr", account, format!("repository/{name}"))
        }
        TargetType::FileSystem => ("elasticfilesystem", account, format!("file-system/{name}")),
        TargetType::Cluster => ("eks", account, format!("cluster/{name}")),
        TargetType::Instance if name.starts_with("i-") => ("ec2", account, format!("instance/{name}")),
        // Snapshots and images of EC2 have no account in their ARN.
        TargetType::Snapshot if name.starts_with("snap-") => ("ec2", "", format!("snapshot/{name}")),
        TargetType::Image => ("ec2", "", format!("image/{name}")),
        _ => return None,
    };
    Some(format!("arn:{partition}:{service}:{region}:{owner}:{resource}"))
}

/// What stands before the name in an IAM ARN.
fn iam_segment(target: TargetType) -> Option<&'static str> {
    match target {
        TargetType::User => Some("user/"),
        TargetType::Role => Some("role/"),
        TargetType::Group => Some("group/"),
        TargetType::Policy => Some("policy/"),
        TargetType::InstanceProfile => Some("instance-profile/"),
        TargetType::SamlProvider => Some("saml-provider/"),
        _ => None,
    }
}
