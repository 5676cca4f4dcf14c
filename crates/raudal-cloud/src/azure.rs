//! Azure Blob Storage: the account and the credentials, as Azure's command line finds them.

use crate::environment::Environment;
use crate::error_response::Signed;
use crate::listen::Listener;
use crate::secrets::{self, Credentials};
use object_store::azure::{AzureAuthorizer, AzureConfigKey, AzureCredentialProvider, MicrosoftAzureBuilder};
use object_store::client::HttpRequest;
use raudal_common::{Error, Result};
use std::sync::Arc;

/// Variables that hold credentials.
const ASKED: [&str; 13] = [
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_MASTER_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_SAS_KEY",
    "AZURE_STORAGE_TOKEN",
    "AZURE_STORAGE_CLIENT_SECRET",
    "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_USE_AZURE_CLI",
    "AZURE_CREDENTIAL_TYPE",
    "AZURE_STORAGE_CONNECTION_STRING",
];

/// The account of the emulator.
const EMULATED: &str = "devstoreaccount1";

#[derive(Debug)]
pub(crate) struct Azure {
    account: String,
    endpoint: String,
    is_emulator: bool,
    found: Credentials<AzureCredentialProvider>,
}

impl Azure {
    pub(crate) async fn find(environment: &Environment, http: crate::Http<'_>) -> Result<Self> {
        let is_emulator = environment.is_true("AZURE_STORAGE_USE_EMULATOR");
        let named = environment.first(&["AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"]);
        let account =
            named.or(part(environment, "AccountName")).or(is_emulator.then_some(EMULATED)).ok_or_else(|| {
                Error::usage("the account of Azure Blob Storage is not known").hint("set AZURE_STORAGE_ACCOUNT")
            })?;
        let is_account = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if account.is_empty() || !account.chars().all(is_account) {
            return Err(Error::usage(format!("not the name of a storage account: {account}"))
                .hint("check AZURE_STORAGE_ACCOUNT"));
        }
        let given =
            environment.first(&["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"]).or(part(environment, "BlobEndpoint"));
        let endpoint = match (given, is_emulator) {
            (_, true) => {
                let server = environment.get("AZURITE_BLOB_STORAGE_URL").unwrap_or("http://127.0.0.1:10000");
                format!("{}/{account}", server.trim_end_matches('/'))
            }
            (Some(endpoint), false) => endpoint.trim_end_matches('/').to_owned(),
            (None, false) => format!("https://{account}.blob.core.windows.net"),
        };
        let mut azure = Self { account: account.to_owned(), endpoint, is_emulator, found: Credentials::Skipped };
        if !environment.is_true("AZURE_SKIP_SIGNATURE") {
            let client = http(&secrets::server(&azure.endpoint)?)?;
            let builder = azure.builder(environment, "container", client).with_retry(secrets::once());
            let store = builder.build().map_err(|error| secrets::unusable("Azure", &error))?;
            let is_asked_for = is_emulator || environment.first(&ASKED).is_some();
            azure.found = secrets::probe(Arc::clone(store.credentials()), is_asked_for, "Azure").await?;
        }
        Ok(azure)
    }

    pub(crate) fn base(&self, container: &str) -> String {
        format!("{}/{container}", self.endpoint)
    }

    pub(crate) async fn sign(&self, request: &mut HttpRequest) -> Result<()> {
        let Credentials::Of(provider) = &self.found else { return Ok(()) };
        let credential = provider.get_credential().await.map_err(|error| secrets::gone("Azure", &error))?;
        AzureAuthorizer::new(&credential, &self.account)
            .try_authorize(request)
            .map_err(|error| secrets::unusable("Azure", &error))
    }

    pub(crate) fn signed(&self) -> Signed {
        self.found.signed()
    }

    pub(crate) fn builder(
        &self,
        environment: &Environment,
        container: &str,
        client: reqwest::Client,
    ) -> MicrosoftAzureBuilder {
        let mut builder = MicrosoftAzureBuilder::new();
        for (name, value) in environment.of("AZURE_") {
            if let Ok(key) = name.to_ascii_lowercase().parse::<AzureConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        // Variables with other names in Azure's command line than in the library.
        if let Some(key) = environment.get("AZURE_STORAGE_KEY").or(part(environment, "AccountKey")) {
            builder = builder.with_access_key(key);
        }
        if let Some(token) = part(environment, "SharedAccessSignature") {
            builder = builder.with_config(AzureConfigKey::SasKey, token);
        }
        let builder =
            builder.with_account(&self.account).with_container_name(container).with_http_connector(Listener(client));
        let builder = if self.is_emulator { builder } else { builder.with_endpoint(self.endpoint.clone()) };
        match &self.found {
            Credentials::Of(provider) => builder.with_credentials(Arc::clone(provider)),
            Credentials::Nothing => builder.with_skip_signature(true),
            Credentials::Skipped => builder,
        }
    }
}

/// Returns a part of the connection string: `AccountName=…;AccountKey=…`.
fn part<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    let parts = environment.get("AZURE_STORAGE_CONNECTION_STRING")?.split(';');
    let mut named = parts.filter_map(|part| part.split_once('=')).filter(|(found, _)| found.trim() == name);
    named.next().map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
}
