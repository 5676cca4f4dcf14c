//! S3: the region, the server and the credentials, as the command line of AWS finds them.

use crate::environment::Environment;
use crate::error_response::{Signed, is_region};
use crate::listen::Listener;
use crate::profile::Profile;
use crate::secrets::{self, Credentials};
use object_store::StaticCredentialProvider;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsAuthorizer, AwsCredential, AwsCredentialProvider};
use object_store::client::HttpRequest;
use raudal_common::{Error, Result};
use std::sync::Arc;

/// Variables that lead to credentials without keys.
const OTHER: [&str; 3] =
    ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];

#[derive(Debug)]
pub(crate) struct Aws {
    pub(crate) region: String,
    pub(crate) endpoint: Option<String>,
    /// Whether the server has the bucket in its name, not in the path.
    has_bucket: bool,
    payer: bool,
    found: Credentials<AwsCredentialProvider>,
}

impl Aws {
    pub(crate) async fn find(environment: &Environment, http: crate::Http<'_>) -> Result<Self> {
        let profile = Profile::read(environment)?;
        let region = environment.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]).or(profile.get("region"));
        let region = region.unwrap_or("us-east-1").to_owned();
        if !is_region(&region) {
            return Err(Error::usage(format!("not the name of a region of AWS: {region}")).hint("check AWS_REGION"));
        }
        let endpoint = environment.first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]);
        let endpoint = endpoint.or(profile.get("endpoint_url")).map(|url| url.trim_end_matches('/').to_owned());
        let payer = environment.get("AWS_REQUEST_PAYER").is_some_and(|value| value.eq_ignore_ascii_case("requester"))
            || environment.is_true("AWS_REQUEST_PAYER");
        let has_bucket = environment.is_true("AWS_VIRTUAL_HOSTED_STYLE_REQUEST");
        let mut aws = Self { region, endpoint, has_bucket, payer, found: Credentials::Skipped };
        if !environment.is_true("AWS_SKIP_SIGNATURE") {
            aws.found = aws.credentials(environment, &profile, http).await?;
        }
        Ok(aws)
    }

    /// Finds credentials: keys in the environment, the profile, a web identity, a container, this machine.
    async fn credentials(
        &self,
        environment: &Environment,
        profile: &Profile,
        http: crate::Http<'_>,
    ) -> Result<Credentials<AwsCredentialProvider>> {
        let keys = match (environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => {
                Some((id.to_owned(), secret.to_owned(), environment.get("AWS_SESSION_TOKEN").map(str::to_owned)))
            }
            (None, None) => profile.keys(),
            _ => {
                return Err(Error::usage("only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set")
                    .hint("set both, or neither"));
            }
        };
        if let Some((key_id, secret_key, token)) = keys {
            for text in [&key_id, &secret_key, token.as_ref().unwrap_or(&key_id)] {
                secrets::check(text, "credentials of AWS")?;
            }
            return Ok(Credentials::Of(Arc::new(StaticCredentialProvider::new(AwsCredential {
                key_id,
                secret_key,
                token,
            }))));
        }
        let is_asked_for = environment.first(&OTHER).is_some();
        if !is_asked_for {
            profile.refuse_other()?;
            if environment.is_true("AWS_EC2_METADATA_DISABLED") {
                return Ok(Credentials::Nothing);
            }
        }
        let client = http(&secrets::server(&self.base("bucket", &self.region))?)?;
        let builder = self.builder(environment, "bucket", &self.region, client).with_retry(secrets::once());
        let store = builder.build().map_err(|error| secrets::unusable("AWS", &error))?;
        secrets::probe(Arc::clone(store.credentials()), is_asked_for, "AWS").await
    }

    /// Returns where a bucket is, without a slash at the end.
    pub(crate) fn base(&self, bucket: &str, region: &str) -> String {
        match (&self.endpoint, self.has_bucket) {
            (Some(endpoint), true) => endpoint.clone(),
            (Some(endpoint), false) => format!("{endpoint}/{bucket}"),
            (None, true) => format!("https://{bucket}.s3.{region}.amazonaws.com"),
            (None, false) => format!("https://s3.{region}.amazonaws.com/{bucket}"),
        }
    }

    pub(crate) async fn sign(&self, request: &mut HttpRequest, region: &str) -> Result<()> {
        let Credentials::Of(provider) = &self.found else { return Ok(()) };
        let credential = provider.get_credential().await.map_err(|error| secrets::gone("AWS", &error))?;
        AwsAuthorizer::new(&credential, "s3", region)
            .with_request_payer(self.payer)
            .try_authorize(request, None)
            .map_err(|error| secrets::unusable("AWS", &error))
    }

    pub(crate) fn signed(&self) -> Signed {
        self.found.signed()
    }

    /// Returns the library's store of a bucket.
    pub(crate) fn builder(
        &self,
        environment: &Environment,
        bucket: &str,
        region: &str,
        client: reqwest::Client,
    ) -> AmazonS3Builder {
        let mut builder = AmazonS3Builder::new();
        for (name, value) in environment.of("AWS_") {
            // The others are for other programs, or are read here.
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        let builder = builder.with_bucket_name(bucket).with_region(region).with_http_connector(Listener(client));
        let builder = match &self.endpoint {
            Some(endpoint) => builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint),
            None => builder,
        };
        match &self.found {
            Credentials::Of(provider) => builder.with_credentials(Arc::clone(provider)),
            Credentials::Nothing => builder.with_skip_signature(true),
            Credentials::Skipped => builder,
        }
    }
}
