//! Sources in cloud stores: against a server that others wrote, and against one that fails as ours wants.

mod failing;
mod others;
mod real;

use crate::common::{Program, raudal};
use std::fmt::Write as _;

/// What no message, file or cache may ever hold.
const SECRET: &str = "TheSecretKeyThatNobodySees";
const KEY: &str = "AKIDEXAMPLE";

/// Returns the program with a server of S3 and credentials for it.
fn with_s3(server: &str, arguments: &[&str]) -> Program {
    raudal(arguments.iter().copied())
        .env("AWS_ENDPOINT_URL", server)
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_REGION", "us-east-1")
}

/// What S3 says when it refuses.
fn refusal(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    )
}

/// A page of a listing, as S3 and Google Cloud Storage write it.
fn listing(keys: &[(&str, usize)], next: Option<&str>) -> String {
    let mut contents = String::new();
    for (key, size) in keys {
        let rest = "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>\"x\"</ETag>";
        let _ = write!(contents, "<Contents><Key>{key}</Key>{rest}<Size>{size}</Size></Contents>");
    }
    let next = next.map(|token| format!("<NextContinuationToken>{token}</NextContinuationToken>")).unwrap_or_default();
    format!("<ListBucketResult><IsTruncated>{}</IsTruncated>{contents}{next}</ListBucketResult>", !next.is_empty())
}
