//! Google Cloud Storage: the server and the credentials, as Google's own programs find them.

use crate::environment::Environment;
use crate::error_response::Signed;
use crate::listen::Listener;
use crate::secrets::{self, Credentials};
use http::header::AUTHORIZATION;
use object_store::client::HttpRequest;
use object_store::gcp::{GcpCredentialProvider, GoogleCloudStorageBuilder, GoogleConfigKey};
use raudal_common::Result;
use std::sync::Arc;

/// Variables that hold credentials.
const ASKED: [&str; 6] = [
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "GOOGLE_BEARER_TOKEN",
    "SERVICE_ACCOUNT",
];

#[derive(Debug)]
pub(crate) struct Gcs {
    endpoint: String,
    found: Credentials<GcpCredentialProvider>,
}

impl Gcs {
    pub(crate) async fn find(environment: &Environment, http: crate::Http<'_>) -> Result<Self> {
        let emulator = environment.get("STORAGE_EMULATOR_HOST");
        let endpoint = environment.get("GOOGLE_BASE_URL").or(emulator).unwrap_or("https://storage.googleapis.com");
        // The host of an emulator is often written without its scheme.
        let scheme = if endpoint.contains("://") { "" } else { "http://" };
        let mut gcs =
            Self { endpoint: format!("{scheme}{}", endpoint.trim_end_matches('/')), found: Credentials::Skipped };
        if environment.is_true("GOOGLE_SKIP_SIGNATURE") {
            return Ok(gcs);
        }
        let has_file = environment.home().is_some_and(|home| {
            let folder = if cfg!(windows) { "AppData/Roaming/gcloud" } else { ".config/gcloud" };
            home.join(folder).join("application_default_credentials.json").exists()
        });
        let is_asked_for = environment.first(&ASKED).is_some() || has_file;
        if emulator.is_some() && !is_asked_for {
            gcs.found = Credentials::Nothing;
            return Ok(gcs);
        }
        let client = http(&secrets::server(&gcs.endpoint)?)?;
        let builder = gcs.builder(environment, "bucket", client).with_retry(secrets::once());
        let store = builder.build().map_err(|error| {
            secrets::unusable("Google Cloud", &error).hint(
                "files of the types service_account and authorized_user are read: check GOOGLE_APPLICATION_CREDENTIALS",
            )
        })?;
        gcs.found = secrets::probe(Arc::clone(store.credentials()), is_asked_for, "Google Cloud").await?;
        Ok(gcs)
    }

    pub(crate) fn base(&self, bucket: &str) -> String {
        format!("{}/{bucket}", self.endpoint)
    }

    pub(crate) async fn sign(&self, request: &mut HttpRequest) -> Result<()> {
        let Credentials::Of(provider) = &self.found else { return Ok(()) };
        let credential = provider.get_credential().await.map_err(|error| secrets::gone("Google Cloud", &error))?;
        if !credential.bearer.is_empty() {
            request.headers_mut().insert(AUTHORIZATION, secrets::bearer(&credential.bearer)?);
        }
        Ok(())
    }

    pub(crate) fn signed(&self) -> Signed {
        self.found.signed()
    }

    pub(crate) fn builder(
        &self,
        environment: &Environment,
        bucket: &str,
        client: reqwest::Client,
    ) -> GoogleCloudStorageBuilder {
        let mut builder = GoogleCloudStorageBuilder::new();
        if let Some(path) = environment.get("SERVICE_ACCOUNT") {
            builder = builder.with_service_account_path(path);
        }
        for (name, value) in environment.of("GOOGLE_") {
            if let Ok(key) = name.to_ascii_lowercase().parse::<GoogleConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        let builder = builder
            .with_bucket_name(bucket)
            .with_config(GoogleConfigKey::BaseUrl, &self.endpoint)
            .with_http_connector(Listener(client));
        match &self.found {
            Credentials::Of(provider) => builder.with_credentials(Arc::clone(provider)),
            Credentials::Nothing => builder.with_skip_signature(true),
            Credentials::Skipped => builder,
        }
    }
}
