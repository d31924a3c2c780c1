//! IAM of every account: the detector's own with its own credentials, others through the read role.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::Client;
use aws_sdk_sts::error::ProvideErrorMetadata;
use detection::{DocumentName, DocumentRequest, UNKNOWN_ACCOUNT};
use tokio::sync::Mutex;

use super::iam::{document, miss};
use super::{Miss, is_aws_managed};
use crate::settings::Settings;

/// Name of the session, as member accounts see it in their CloudTrail.
const SESSION_NAME: &str = "iam-policy-monitor-read";
/// Credentials are renewed this long before they expire.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// Accounts whose clients are kept; an organization has more, but not at once.
const MAX_CLIENTS: usize = 200;

/// Clients of IAM by account.
#[derive(Debug)]
pub(super) struct Accounts {
    config: SdkConfig,
    role_name: Option<String>,
    external_id: Option<String>,
    own: tokio::sync::OnceCell<Identity>,
    clients: Mutex<HashMap<String, (Client, SystemTime)>>,
}

/// Who the detector is.
#[derive(Debug, Clone)]
struct Identity {
    account_id: String,
    partition: String,
}

impl Accounts {
    pub(super) fn new(settings: &Settings, config: SdkConfig) -> Accounts {
        Accounts {
            config,
            role_name: settings.read_role_name.clone(),
            external_id: settings.read_role_external_id.clone(),
            own: tokio::sync::OnceCell::new(),
            clients: Mutex::default(),
        }
    }

    pub(super) async fn document(&self, request: &DocumentRequest) -> Result<String, Miss> {
        let client = self.client(request).await?;
        document(&client, request).await
    }

    async fn client(&self, request: &DocumentRequest) -> Result<Client, Miss> {
        let own = self.own().await?;
        let account_id = &request.account_id;
        // AWS's own policies are the same everywhere: no need to go there.
        if *account_id == own.account_id || asks_aws(&request.name) {
            return Ok(Client::new(&self.config));
        }
        if account_id == UNKNOWN_ACCOUNT || !account_id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Miss::Never("the event does not tell its account".to_owned()));
        }
        let Some(role_name) = &self.role_name else {
            return Err(Miss::Never("READ_ROLE_NAME is not set".to_owned()));
        };
        // Held while asking, so that many look-ups at once assume the role once.
        let mut clients = self.clients.lock().await;
        if let Some((client, expiry)) = clients.get(account_id)
            && *expiry > SystemTime::now() + RENEW_BEFORE
        {
            return Ok(client.clone());
        }
        let role_arn = format!("arn:{}:iam::{account_id}:role/{role_name}", own.partition);
        let (credentials, expiry) = self.assume(&role_arn).await?;
        let config = self.config.to_builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build();
        let client = Client::new(&config);
        if clients.len() >= MAX_CLIENTS {
            clients.clear();
        }
        clients.insert(account_id.clone(), (client.clone(), expiry));
        Ok(client)
    }

    async fn assume(&self, role_arn: &str) -> Result<(Credentials, SystemTime), Miss> {
        let call =
            aws_sdk_sts::Client::new(&self.config).assume_role().role_arn(role_arn).role_session_name(SESSION_NAME);
        let reply = call.set_external_id(self.external_id.clone()).send().await;
        let reply = reply.map_err(|error| miss(&format!("assuming {role_arn}"), error.code(), &error))?;
        let given = reply.credentials().ok_or_else(|| Miss::Later(format!("{role_arn} came without credentials")))?;
        let expiry = SystemTime::try_from(*given.expiration()).unwrap_or(SystemTime::UNIX_EPOCH);
        let token = Some(given.session_token().to_owned());
        let (id, secret) = (given.access_key_id(), given.secret_access_key());
        Ok((Credentials::new(id, secret, token, Some(expiry), "read role"), expiry))
    }

    async fn own(&self) -> Result<&Identity, Miss> {
        let ask = || async {
            let call = aws_sdk_sts::Client::new(&self.config).get_caller_identity();
            let reply = call.send().await.map_err(|error| miss("asking who we are", error.code(), &error))?;
            let partition = reply.arn().and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws").to_owned();
            Ok(Identity { account_id: reply.account().unwrap_or_default().to_owned(), partition })
        };
        self.own.get_or_try_init(ask).await
    }
}

fn asks_aws(name: &DocumentName) -> bool {
    matches!(name, DocumentName::ManagedPolicy { arn, .. } if is_aws_managed(arn))
}
