//! Which certificates are trusted: the system's, or those of `SSL_CERT_FILE`, plus those of an
//! option.

use std::path::Path;
use std::sync::Arc;

use reqwest::{Certificate, ClientBuilder, Identity};

use crate::Options;
use raudal_common::{Error, Kind, Result};

/// Builds a client that uses rustls with ring.
///
/// A machine may have no certificate authorities at all, such as a bare container. Plain http must
/// still work there, so a client is built that trusts no certificate. The second value is then
/// `false`.
///
/// With `named`, the client shows the options' certificate to servers that ask for one.
pub(crate) fn build(
    builder: impl Fn() -> ClientBuilder,
    options: &Options,
    named: bool,
) -> Result<(reqwest::Client, bool)> {
    // Without aws-lc, reqwest uses the provider that the process has installed, and panics if there
    // is none. A provider that an embedding program has installed is kept.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let extra = options.ca_cert.as_deref().map(read).transpose()?.unwrap_or_default();
    let no_extra = extra.is_empty();
    let mut believing = builder().tls_danger_accept_invalid_certs(options.insecure).tls_certs_merge(extra);
    let identity = if named { identity(options)? } else { None };
    let has_identity = identity.is_some();
    if let Some(identity) = identity {
        believing = believing.identity(identity);
    }
    match believing.build() {
        Ok(client) => Ok((client, true)),
        // The verifier failed because the system has no certificates. Nothing else can fail in
        // rustls this early.
        Err(error) if no_extra && !has_identity && !options.insecure => {
            let config = believe_nobody().map_err(|tls| Error::new(Kind::Internal, "no TLS").because(tls))?;
            let client = builder().tls_backend_preconfigured(config).build();
            client.map(|client| (client, false)).map_err(|_| unusable(error))
        }
        Err(error) if has_identity => Err(Error::usage("cannot use this client certificate")
            .because(error)
            .hint("give a PEM certificate with [`cert`], and the key that belongs to it with [`key`]")),
        Err(error) => Err(unusable(error)),
    }
}

/// Reads the client's own certificate and its key.
fn identity(options: &Options) -> Result<Option<Identity>> {
    let Some(cert) = &options.cert else {
        return match &options.key {
            Some(_) => Err(Error::usage("a key without its certificate").hint("give the certificate with [`cert`]")),
            None => Ok(None),
        };
    };
    let named = |path: &Path, error: Error| error.input(path.display().to_string());
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| named(path, Error::io("cannot read the certificate or its key", error)))
    };
    let mut pem = read(cert)?;
    if let Some(key) = &options.key {
        pem.push(b'\n');
        pem.extend(read(key)?);
    }
    // The library's error message could show the contents of the file.
    Identity::from_pem(&pem).map(Some).map_err(|_| {
        named(cert, Error::usage("the file does not hold a certificate and its key")).hint(
            "give a PEM file with both to [`cert`], or the key's file to [`key`]; keys with a password are not supported",
        )
    })
}

/// Returns the error for an https URL on a machine without certificate authorities.
pub(crate) fn no_authorities() -> Error {
    Error::new(Kind::Tls, "this machine has no certificate authorities to verify the server with")
        .hint("install the package ca-certificates, or give a file with [`cacert`] or SSL_CERT_FILE")
}

fn believe_nobody() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}

fn read(path: &Path) -> Result<Vec<Certificate>> {
    let refused = |error: Error| error.input(path.display().to_string());
    let hint = "give a PEM file with one or more certificates to [`cacert`]";
    let pem = std::fs::read(path).map_err(|error| refused(Error::io("cannot read the certificates", error)))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(refused(Error::usage("the file does not hold a certificate").hint(hint))),
    }
}

fn unusable(error: reqwest::Error) -> Error {
    Error::usage("cannot make an HTTP client with these options").because(error.without_url())
}
