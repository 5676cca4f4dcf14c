//! What a store says when it refuses, and what to do about it. Pure: takes a response, returns an error.

use http::{HeaderMap, StatusCode};
use raudal_common::error::printable;
use raudal_common::{Error, Kind};
use raudal_source::{Object, Service};

/// The longest message of a service that is repeated, in letters.
const LONGEST: usize = 200;

/// A response that is not a success.
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use raudal_cloud::{Environment, ErrorResponse, Stores};
/// use raudal_source::Object;
///
/// let body = b"<Error><Code>NoSuchBucket</Code><Message>No.</Message></Error>";
/// let response = ErrorResponse::new(StatusCode::NOT_FOUND, &HeaderMap::new(), body);
/// let object = Object::parse("s3://bucket/a.csv")?;
/// let error = Stores::new(Environment::default()).refusal(&object, &response);
/// assert_eq!(error.message(), "no such bucket: bucket");
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ErrorResponse {
    status: StatusCode,
    /// The service's own word for the reason, such as `NoSuchKey`.
    code: Option<String>,
    message: Option<String>,
    /// The region that the bucket is in.
    region: Option<String>,
}

/// How the request was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    Yes,
    /// No credentials were found.
    No,
    /// The environment asks for requests that are not signed.
    Skipped,
}

impl ErrorResponse {
    /// Reads a response. `body` may be its first bytes only.
    pub fn new(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body);
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let is_region = |region: &String| is_region(region);
        Self {
            status,
            code: header("x-ms-error-code").or_else(|| tag(&body, "Code")),
            message: tag(&body, "Message"),
            region: header("x-amz-bucket-region").or_else(|| tag(&body, "Region")).filter(is_region),
        }
    }

    /// Returns the region of the bucket, if the request went to another one.
    pub(crate) fn other_region(&self) -> Option<&str> {
        let is_told = self.status.is_redirection() || self.status == StatusCode::BAD_REQUEST;
        self.region.as_deref().filter(|_| is_told)
    }

    /// Returns the error for it.
    pub(crate) fn error(&self, object: &Object, signed: Signed, region: Option<&str>) -> Error {
        let (code, status) = (self.code.as_deref().unwrap_or_default(), self.status.as_u16());
        let (bucket, service) = (&object.bucket, object.service);
        let error = |message: String| Error::new(Kind::Status(status), message);
        match (code, status) {
            _ if matches!(code, "NoSuchBucket" | "ContainerNotFound") || (status == 404 && object.key.is_empty()) => {
                error(format!("no such bucket: {bucket}")).hint(format!("check its name; {}", server(service)))
            }
            ("NoSuchKey" | "BlobNotFound" | "ResourceNotFound", _) | ("", 404) => {
                error(format!("no such object in the bucket: {}", printable(&object.key))).hint(
                    "check the key: upper and lower case differ; a pattern such as s3://bucket/folder/* lists keys",
                )
            }
            (_, 301 | 302 | 307 | 308) | ("AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _) => {
                wrong_region(error, self.region.as_deref(), region)
            }
            ("ExpiredToken" | "TokenRefreshRequired" | "ExpiredTokenException", _) => {
                error(format!("the credentials have expired: {code}")).hint("get new ones, such as with: aws sso login")
            }
            ("RequestTimeTooSkewed", _) => error(format!("the store refuses the time of the request: {code}"))
                .hint("set the clock of this machine"),
            // Each request is signed anew, so a second one is of use.
            _ if self.message.as_deref().is_some_and(|text| text.contains("has expired")) => {
                error("the signature has expired".into()).transient(true)
            }
            ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "AuthenticationFailed", _)
            | (_, 401) => error(format!(
                "the store does not accept the credentials: {}",
                if code.is_empty() { "401" } else { code }
            ))
            .hint(format!("check {}", credentials(service))),
            ("InvalidObjectState" | "BlobArchived", _) => {
                error("the object is in an archive".into()).hint("restore it first, then try again")
            }
            (_, 403) => denied(error, service, signed),
            _ => {
                let said = self.message.as_deref().unwrap_or_default();
                let text = [code, said].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ");
                let reason = if text.is_empty() { self.status.canonical_reason().unwrap_or_default() } else { &text };
                error(format!("the store answered: {status} {}", printable(reason)).trim_end().to_owned())
            }
        }
    }
}

fn wrong_region(error: impl Fn(String) -> Error, told: Option<&str>, asked: Option<&str>) -> Error {
    let asked = asked.unwrap_or_default();
    match told {
        Some(told) => error(format!("the bucket is in another region than {asked}: {told}"))
            .hint(format!("set AWS_REGION={told}")),
        None => error(format!("the bucket is in another region than this: {asked}"))
            .hint("set AWS_REGION to the region of the bucket; for a server of your own, check AWS_ENDPOINT_URL"),
    }
}

fn denied(error: impl Fn(String) -> Error, service: Service, signed: Signed) -> Error {
    match signed {
        Signed::Yes => error("access denied".into()).hint(format!(
            "the credentials may not read it, or it is not there: without the right to list a bucket, both look the \
             same; check {}",
            credentials(service)
        )),
        Signed::No => {
            error("access denied, and no credentials were found".into()).hint(format!("set {}", credentials(service)))
        }
        Signed::Skipped => error("access denied, and requests are not signed".into())
            .hint(format!("unset {}_SKIP_SIGNATURE", prefix(service))),
    }
}

fn prefix(service: Service) -> &'static str {
    match service {
        Service::S3 => "AWS",
        Service::Gcs => "GOOGLE",
        Service::Azure => "AZURE",
    }
}

fn credentials(service: Service) -> &'static str {
    match service {
        Service::S3 => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
        Service::Gcs => "GOOGLE_APPLICATION_CREDENTIALS, or run: gcloud auth application-default login",
        Service::Azure => "AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN",
    }
}

/// Returns another possible reason for a missing bucket.
fn server(service: Service) -> &'static str {
    match service {
        Service::S3 => "for a server other than Amazon's, set AWS_ENDPOINT_URL",
        Service::Gcs => "for an emulator, set STORAGE_EMULATOR_HOST",
        Service::Azure => "a container is in the account of AZURE_STORAGE_ACCOUNT",
    }
}

/// Returns whether a text may be a region: it becomes a part of a host name and of a header.
pub(crate) fn is_region(text: &str) -> bool {
    let is_of_region = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.len() <= 40 && text.chars().all(is_of_region)
}

/// Returns the text of the first element of this name.
fn tag(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim().chars().take(LONGEST).collect()).filter(|text: &String| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, code: &str, signed: Signed) -> Error {
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>Why.</Message></Error>");
        let status = StatusCode::from_u16(status).expect("a status");
        let object = Object::parse("s3://bucket/a%20b.csv").expect("an object");
        ErrorResponse::new(status, &HeaderMap::new(), body.as_bytes()).error(&object, signed, Some("us-east-1"))
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        for (status, code, message, hint) in [
            (404, "NoSuchBucket", "no such bucket: bucket", "AWS_ENDPOINT_URL"),
            (404, "NoSuchKey", "no such object in the bucket: a b.csv", "upper and lower case"),
            (403, "AccessDenied", "access denied", "may not read it"),
            (403, "InvalidAccessKeyId", "the store does not accept the credentials: InvalidAccessKeyId", "AWS_PROFILE"),
            (403, "SignatureDoesNotMatch", "the store does not accept the credentials: SignatureDoesNotMatch", "AWS_"),
            (400, "ExpiredToken", "the credentials have expired: ExpiredToken", "aws sso login"),
            (403, "RequestTimeTooSkewed", "the store refuses the time of the request: RequestTimeTooSkewed", "clock"),
            (301, "PermanentRedirect", "the bucket is in another region than this: us-east-1", "AWS_REGION"),
            (403, "InvalidObjectState", "the object is in an archive", "restore"),
            (400, "InvalidRange", "the store answered: 400 InvalidRange: Why.", ""),
        ] {
            let error = error(status, code, Signed::Yes);
            assert_eq!((error.kind(), error.message()), (Kind::Status(status), message));
            assert!(error.hint_text().unwrap_or_default().contains(hint), "{code}: {:?}", error.hint_text());
            assert!(!error.is_transient(), "{code}");
        }
        assert!(error(503, "SlowDown", Signed::Yes).is_transient());
        assert_eq!(error(503, "", Signed::Yes).message(), "the store answered: 503 Why.");
    }

    #[test]
    fn a_request_that_was_not_signed_needs_credentials() {
        let none = error(403, "AccessDenied", Signed::No);
        assert_eq!(none.message(), "access denied, and no credentials were found");
        assert_eq!(none.hint_text(), Some("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"));
        assert_eq!(error(403, "", Signed::Skipped).hint_text(), Some("unset AWS_SKIP_SIGNATURE"));
    }

    #[test]
    fn a_region_is_taken_from_where_services_say_it_and_never_a_host_name() {
        let region = |status: u16, header: &str, body: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-amz-bucket-region", header.parse().expect("a value"));
            let headers = if header.is_empty() { HeaderMap::new() } else { headers };
            let status = StatusCode::from_u16(status).expect("a status");
            ErrorResponse::new(status, &headers, body.as_bytes()).other_region().map(str::to_owned)
        };
        assert_eq!(region(301, "eu-west-1", "").as_deref(), Some("eu-west-1"));
        assert_eq!(region(400, "", "<Code>x</Code><Region>sa-east-1</Region>").as_deref(), Some("sa-east-1"));
        assert_eq!(region(403, "eu-west-1", ""), None, "that is the region that was asked");
        assert_eq!(region(301, "evil.example/", ""), None);
        assert_eq!(region(301, "", "<Region>"), None);
    }

    #[test]
    fn an_expired_signature_is_worth_another_one() {
        let body = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
        let object = Object::parse("s3://b/a").expect("an object");
        let error =
            ErrorResponse::new(StatusCode::FORBIDDEN, &HeaderMap::new(), body).error(&object, Signed::Yes, None);
        assert_eq!((error.message(), error.is_transient()), ("the signature has expired", true));
    }
}
