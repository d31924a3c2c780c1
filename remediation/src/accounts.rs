//! IAM of every account, through a role in it. Each session is for one purpose: one may only read, every other may make one
//! call on one ARN. Without a role for it, the own account is reached with own credentials. And where in the organization an
//! account is.

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::Client;
use aws_sdk_organizations::types::ParentType;
use tokio::sync::OnceCell;

use crate::error::{Failure, failure};
use crate::guard::SESSION_NAME;
use crate::settings::OwnSettings;
use crate::step::{Place, Step};

/// Sessions are short: a repair takes seconds. The least that STS gives, in seconds.
const SESSION_SECONDS: i32 = 900;
/// Organizations nests units five deep; with the root that is six parents.
const MAX_PARENTS: usize = 10;
/// Reading everything a snapshot holds.
const READ_POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*"],"Resource":"*"}]}"#;

/// Clients of IAM by account and purpose.
#[derive(Debug)]
pub struct Accounts {
    config: SdkConfig,
    role_name: Option<String>,
    own_role_name: Option<String>,
    external_id: Option<String>,
    own: OnceCell<Identity>,
}

/// Who this program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Twelve digits.
    pub account_id: String,
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// Name of the role it runs as, if it is one.
    pub role: Option<String>,
}

impl Accounts {
    /// Accounts reached with the role of the settings.
    pub fn new(settings: &OwnSettings, config: SdkConfig) -> Accounts {
        Accounts {
            config,
            role_name: settings.role_name.clone(),
            own_role_name: settings.own_account_role_name.clone(),
            external_id: settings.external_id.clone(),
            own: OnceCell::new(),
        }
    }

    /// Who this program is; asked once.
    pub async fn own(&self) -> Result<&Identity, Failure> {
        let ask = || async {
            let reply = aws_sdk_sts::Client::new(&self.config).get_caller_identity().send().await;
            let reply = reply.map_err(|error| failure("asking who we are", &error))?;
            let arn = reply.arn().unwrap_or_default();
            let mut parts = arn.split(':');
            let partition = parts.nth(1).filter(|partition| !partition.is_empty()).unwrap_or("aws").to_owned();
            let role = arn.split_once(":assumed-role/").and_then(|(_, rest)| rest.split('/').next());
            let account_id = reply.account().unwrap_or_default().to_owned();
            Ok(Identity { account_id, partition, role: role.map(str::to_owned) })
        };
        self.own.get_or_try_init(ask).await
    }

    /// A client that can only read.
    pub async fn reader(&self, account_id: &str) -> Result<Client, Failure> {
        self.client(account_id, READ_POLICY, &self.config).await
    }

    /// A client for one step. It makes no second try by itself: whoever uses it looks first whether the first one worked.
    pub async fn changer(&self, account_id: &str, step: &Step) -> Result<Client, Failure> {
        let partition = &self.own().await?.partition;
        let policy = step.session_policy(Place { partition, account_id });
        self.client(account_id, &policy, &stream::aws::without_retries(&self.config)).await
    }

    /// The organizational units that hold an account, from the nearest up to the root.
    pub async fn units(&self, account_id: &str) -> Result<Vec<String>, Failure> {
        let client = aws_sdk_organizations::Client::new(&self.config);
        let mut units: Vec<String> = Vec::new();
        while units.len() < MAX_PARENTS {
            let child = units.last().map_or(account_id, String::as_str);
            let doing = format!("asking for the organizational unit of {child}");
            let reply = client.list_parents().child_id(child).send().await;
            let reply = reply.map_err(|error| failure(&doing, &error))?;
            // Each has exactly one; an answer without it tells nothing.
            let [parent] = reply.parents() else {
                return Err(Failure::Later(format!("{doing}: {} parents came", reply.parents().len())));
            };
            let id = parent.id().filter(|id| !id.is_empty());
            units.push(id.ok_or_else(|| Failure::Later(format!("{doing}: a parent without id came")))?.to_owned());
            if parent.r#type() == Some(&ParentType::Root) {
                return Ok(units);
            }
        }
        Err(Failure::Never(format!("account {account_id} has more than {MAX_PARENTS} parents in the organization")))
    }

    async fn client(&self, account_id: &str, session_policy: &str, config: &SdkConfig) -> Result<Client, Failure> {
        let own = self.own().await?;
        let is_own = account_id == own.account_id;
        let role_name = match if is_own { &self.own_role_name } else { &self.role_name } {
            Some(role_name) => role_name,
            None if is_own => return Ok(Client::new(config)),
            None => {
                let reason = format!("account {account_id} is not ours and REMEDIATION_ROLE_NAME is not set");
                return Err(Failure::Never(reason));
            }
        };
        let role_arn = format!("arn:{}:iam::{account_id}:role/{role_name}", own.partition);
        let call = aws_sdk_sts::Client::new(&self.config)
            .assume_role()
            .role_arn(&role_arn)
            .role_session_name(SESSION_NAME)
            .set_external_id(self.external_id.clone())
            .duration_seconds(SESSION_SECONDS)
            .policy(session_policy);
        let reply = call.send().await.map_err(|error| failure(&format!("assuming {role_arn}"), &error))?;
        let given =
            reply.credentials().ok_or_else(|| Failure::Later(format!("{role_arn} came without credentials")))?;
        let token = Some(given.session_token().to_owned());
        let (id, secret) = (given.access_key_id(), given.secret_access_key());
        let credentials = Credentials::new(id, secret, token, None, "remediation role");
        let provider = SharedCredentialsProvider::new(credentials);
        Ok(Client::new(&config.to_builder().credentials_provider(provider).build()))
    }
}
