//! Objects in cloud stores: `s3://bucket/key`, `gs://bucket/key`, `az://container/key`.

use std::fmt;

use url::Url;

use super::glob;
use super::percent::{decoded, encoded};
use raudal_common::{Error, Result};

/// The characters of a key that stay as they are in a URL, besides letters and digits.
const PLAIN: &str = "/-._~!$&'()*+,;=:@";

/// A service that stores objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Amazon S3, and the many servers that speak its protocol.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage. Its buckets are called containers.
    Azure,
}

impl Service {
    /// Returns the service of a URL's scheme.
    pub fn of(scheme: &str) -> Option<Self> {
        [Self::S3, Self::Gcs, Self::Azure].into_iter().find(|service| service.scheme() == scheme)
    }

    /// Returns the scheme of its URLs.
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "az",
        }
    }
}

/// An object in a store, or a glob for objects.
///
/// As in any URL, `%20` stands for a space: a key is written with `%25`, `%3F` and `%23` for a percent
/// sign before two hexadecimal digits, a question mark and a number sign. All other letters stand for
/// themselves.
///
/// ```
/// use raudal_source::Object;
///
/// let object = Object::parse("s3://bucket/2024/a b%23.csv")?;
/// assert_eq!((object.bucket.as_str(), object.key.as_str()), ("bucket", "2024/a b#.csv"));
/// assert_eq!(object.to_string(), "s3://bucket/2024/a%20b%23.csv");
///
/// let glob = Object::parse_glob("gs://bucket/**/?.csv.gz")?;
/// assert!(glob.matches("a.csv.gz") && glob.matches("2024/05/b.csv.gz") && !glob.matches("ab.csv.gz"));
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Object {
    /// Where the bucket is.
    pub service: Service,
    /// The bucket, or with Azure the container.
    pub bucket: String,
    /// The key as the service has it, without percent-encoding. Empty for a bucket.
    pub key: String,
}

impl Object {
    /// Creates the name of an object.
    ///
    /// # Errors
    ///
    /// Fails with a usage error for a key that no URL can hold: with a part `.` or `..`, or a control character.
    pub fn new(service: Service, bucket: &str, key: &str) -> Result<Self> {
        let object = Self { service, bucket: bucket.to_owned(), key: key.to_owned() };
        let refused =
            |what: &str| Err(Error::usage(format!("{what} in the key of an object")).input(object.to_string()));
        if key.split('/').any(|part| matches!(part, "." | "..")) {
            return refused("a part `.` or `..`");
        }
        if key.contains(char::is_control) {
            return refused("a control character");
        }
        Ok(object)
    }

    /// Parses the URL of an object.
    ///
    /// # Errors
    ///
    /// Fails with a usage error for another scheme, and for an invalid bucket or key.
    pub fn parse(text: &str) -> Result<Self> {
        let (service, bucket, key) = split(text)?;
        if key.contains(['?', '#']) {
            return Err(Error::usage("a query or a fragment in the address of an object")
                .input(text)
                .hint("write %3F for ? and %23 for #; on the command line, ? in a key is a pattern"));
        }
        Self::new(service, bucket, &decoded(key)).map_err(|error| error.input(text))
    }

    /// Parses a glob: `*` and `?` stand for letters of a part of the key, `**` for any parts.
    ///
    /// # Errors
    ///
    /// Fails as [`parse`](Self::parse) does.
    pub fn parse_glob(text: &str) -> Result<Self> {
        let (service, bucket, key) = split(text)?;
        Self::new(service, bucket, &decoded(key)).map_err(|error| error.input(text))
    }

    /// Returns the object of a URL, or `None` if it is not in a cloud store.
    pub fn of(url: &Url) -> Option<Self> {
        let service = Service::of(url.scheme())?;
        let key = decoded(url.path().strip_prefix('/').unwrap_or_default());
        Some(Self { service, bucket: url.host_str().unwrap_or_default().to_owned(), key })
    }

    /// Returns its URL.
    pub fn url(&self) -> Result<Url> {
        Url::parse(&self.to_string()).map_err(|error| Error::usage("not a URL").input(self.to_string()).because(error))
    }

    /// Returns the key with everything encoded but letters, digits, `-._~` and slashes, as services
    /// sign it.
    pub fn encoded_key(&self) -> String {
        encoded(&self.key, "/-._~")
    }

    /// Returns the part of a glob before its first star or question mark.
    pub fn prefix(&self) -> &str {
        &self.key[..self.key.find(['*', '?']).unwrap_or(self.key.len())]
    }

    /// Returns whether a glob matches keys in folders below its [prefix](Self::prefix).
    pub fn is_deep(&self) -> bool {
        let rest = self.key.strip_prefix(self.prefix()).unwrap_or_default();
        rest.contains('/') || rest.contains("**")
    }

    /// Returns whether a glob matches a key.
    pub fn matches(&self, key: &str) -> bool {
        let pattern: Vec<&str> = self.key.split('/').collect();
        matches(&pattern, &key.split('/').collect::<Vec<_>>())
    }
}

/// Formats the URL.
impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{}", self.service.scheme(), self.bucket, encoded(&self.key, PLAIN))
    }
}

/// Returns whether a text is a glob for objects.
pub(super) fn is_glob(text: &str) -> bool {
    is_object(text) && glob::is_glob(text)
}

/// Returns whether a text is the URL of an object.
pub(super) fn is_object(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| Service::of(&scheme.to_ascii_lowercase()).is_some())
}

/// Refuses objects in a program that was built without stores.
pub(super) fn check_built(text: &str) -> Result<()> {
    if cfg!(any(test, feature = "cloud")) {
        return Ok(());
    }
    let scheme = text.split_once("://").map_or(text, |(scheme, _)| scheme);
    Err(Error::usage(format!("this program was built without cloud stores: {scheme}://")).hint(
        "the released programs and the Python package have them; one that is built from source needs the cargo \
         feature `cloud`",
    ))
}

fn split(text: &str) -> Result<(Service, &str, &str)> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let Some(service) = Service::of(&scheme.to_ascii_lowercase()) else {
        return Err(Error::usage(format!("unsupported scheme: {scheme}")).hint("use s3, gs or az"));
    };
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.contains([':', '@']) {
        // It is not shown: it may be a secret.
        return Err(Error::usage(format!("a port or credentials in the address of an object: {scheme}://…"))
            .hint("give the server and the credentials in the environment, such as AWS_ENDPOINT_URL and AWS_PROFILE"));
    }
    let is_bucket = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if bucket.is_empty() || !bucket.chars().all(is_bucket) {
        return Err(Error::usage("not the name of a bucket").input(text).hint("write s3://bucket/key"));
    }
    Ok((service, bucket, key))
}

/// Matches the parts of a key: `**` stands for any number of them.
fn matches(pattern: &[&str], key: &[&str]) -> bool {
    let Some((part, rest)) = pattern.split_first() else { return key.is_empty() };
    if *part == "**" {
        let least = usize::from(rest.is_empty());
        return (least..=key.len()).any(|skipped| rest.is_empty() || matches(rest, &key[skipped..]));
    }
    key.split_first().is_some_and(|(name, below)| glob::matches(part, name) && matches(rest, below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Location;

    #[test]
    fn the_url_of_an_object_is_a_location_like_others() {
        let location = Location::parse("S3://my.bucket_1/2024/población 1+2=3.csv").expect("a location");
        assert_eq!(location.to_string(), "s3://my.bucket_1/2024/poblaci%C3%B3n%201+2=3.csv");
        assert_eq!(location.file_name(), "población 1+2=3.csv");
        assert_eq!(location.path(), ["2024", "población 1+2=3.csv"]);
        assert_eq!(location.key().as_deref(), Some("s3://my.bucket_1"));
        assert!(location.is_remote());
        assert_eq!(Location::parse(&location.to_string()).expect("again"), location);
    }

    #[test]
    fn what_no_store_has_is_refused_with_a_cure() {
        for (text, message) in [
            ("s3://", "s3://: not the name of a bucket"),
            ("s3:///key", "s3:///key: not the name of a bucket"),
            ("s3://b c/key", "s3://b c/key: not the name of a bucket"),
            ("s3://b/a?x=1", "s3://b/a?x=1: a query or a fragment in the address of an object"),
            ("az://b/a#1", "az://b/a#1: a query or a fragment in the address of an object"),
            ("gs://b/a/../c", "gs://b/a/../c: a part `.` or `..` in the key of an object"),
            ("s3://KEY:se/cret@bucket/a", "a port or credentials in the address of an object: s3://…"),
        ] {
            let error = Location::parse(text).expect_err(text);
            assert_eq!((error.kind(), error.report().as_str()), (raudal_common::Kind::Usage, message));
        }
    }

    #[test]
    fn keys_are_encoded_once_for_people_and_once_for_services() {
        let object = Object::parse("s3://b/100%/a%2525=1//x").expect("an object");
        assert_eq!(object.key, "100%/a%25=1//x");
        assert_eq!(object.to_string(), "s3://b/100%25/a%2525=1//x");
        assert_eq!(object.encoded_key(), "100%25/a%2525%3D1//x");
        assert_eq!(Object::of(&object.url().expect("a URL")), Some(object));
        assert_eq!(Object::of(&Url::parse("https://h/a").expect("a URL")), None);
    }

    #[test]
    fn a_glob_stays_within_a_part_unless_it_has_two_stars() {
        let glob = |text| Object::parse_glob(text).expect(text);
        let one = glob("s3://b/2024/a*.csv");
        assert_eq!((one.prefix(), one.is_deep()), ("2024/a", false));
        assert!(one.matches("2024/a1.csv") && !one.matches("2024/b.csv") && !one.matches("2024/a/1.csv"));
        let deep = glob("s3://b/y=*/**/x?.csv");
        assert_eq!((deep.prefix(), deep.is_deep()), ("y=", true));
        assert!(deep.matches("y=1/x1.csv") && deep.matches("y=1/m/d/x1.csv") && !deep.matches("y=1/m/x.csv"));
        let all = glob("s3://b/d/**");
        assert!(
            all.is_deep() && all.matches("d/a") && all.matches("d/a/b") && !all.matches("d") && !all.matches("e/a")
        );
        assert!(glob("s3://b/a%20b/*").matches("a b/c"));
    }

    #[test]
    fn any_key_at_all_comes_back_from_its_url() {
        proptest::proptest!(|(key in r"[a-zá-é%?#*\[\] /+&]{0,12}")| {
            if let Ok(object) = Object::new(Service::S3, "b", &key) {
                let url = object.url().expect("a URL");
                proptest::prop_assert_eq!(Object::parse(url.as_str()).expect("an object"), object.clone());
                proptest::prop_assert_eq!(Object::of(&url), Some(object));
            }
        });
    }
}
