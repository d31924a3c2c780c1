//! IAM of every account: the own one with own credentials, others through the remediation role. Each session is for one
//! purpose: one may only read, every other may make one call on one ARN.

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::Client;
use tokio::sync::OnceCell;

use crate::error::{Failure, failure};
use crate::guard::SESSION_NAME;
use crate::settings::OwnSettings;
use crate::step::{Place, Step};

/// Sessions are short: a repair takes seconds. The least that STS gives, in seconds.
const SESSION_SECONDS: i32 = 900;
/// Reading everything a snapshot holds.
const READ_POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*"],"Resource":"*"}]}"#;

/// Clients of IAM by account and purpose.
#[derive(Debug)]
pub struct Accounts {
    config: SdkConfig,
    role_name: Option<String>,
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
        let (role_name, external_id) = (settings.role_name.clone(), settings.external_id.clone());
        Accounts { config, role_name, external_id, own: OnceCell::new() }
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

    async fn client(&self, account_id: &str, session_policy: &str, config: &SdkConfig) -> Result<Client, Failure> {
        let own = self.own().await?;
        if account_id == own.account_id {
            return Ok(Client::new(config));
        }
        let Some(role_name) = &self.role_name else {
            return Err(Failure::Never(format!(
                "account {account_id} is not ours and REMEDIATION_ROLE_NAME is not set"
            )));
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
