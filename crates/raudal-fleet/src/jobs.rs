//! What workers are told of a chunk and its inputs.

use raudal_common::{Error, Portable, Result};
use raudal_pipeline::files::Fetch;
use raudal_pipeline::known_checksum;
use raudal_source::{Checksums, Input, Location};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A chunk of inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Job {
    pub(crate) chunk: u32,
    pub(crate) inputs: Vec<JobInput>,
}

/// An input of a chunk. It holds no credentials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobInput {
    /// Its place among all inputs.
    pub(crate) i: u64,
    pub(crate) place: String,
    /// The name that a list gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) member: Option<String>,
    /// The SHA-256 that it must have; empty if the list of checksums lacks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    /// Why it is no input, but a line of a list that fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<Portable>,
}

impl JobInput {
    /// Returns the job of an input that is read as a table. With checksums, it must be in their list.
    ///
    /// # Errors
    ///
    /// As [`plain`](Self::plain).
    pub(crate) fn of(i: u64, input: &Input, checksums: Option<&Checksums>) -> Result<Self> {
        if let Some(refusal) = input.refusal() {
            return Ok(Self::refused(i, input, &refusal));
        }
        let sha256 = checksums.map(|sums| known_checksum(sums, input).unwrap_or_default().to_owned());
        Ok(Self { sha256, ..Self::plain(i, input)? })
    }

    /// Returns the job of an input that is fetched as a file.
    ///
    /// # Errors
    ///
    /// As [`plain`](Self::plain).
    pub(crate) fn of_file(i: u64, (input, expected): &Fetch) -> Result<Self> {
        match expected {
            Ok(sha256) => Ok(Self { sha256: sha256.clone(), ..Self::plain(i, input)? }),
            Err(refusal) => Ok(Self::refused(i, input, refusal)),
        }
    }

    /// Returns the job of an input that has failed already.
    fn refused(i: u64, input: &Input, refusal: &Error) -> Self {
        let (place, refused) = (input.location.to_string(), Some(Portable::from(refusal)));
        Self { i, place, name: None, member: None, sha256: None, refused }
    }

    /// # Errors
    ///
    /// A usage error for an input with a login, standard input, and a path that is no text.
    fn plain(i: u64, input: &Input) -> Result<Self> {
        let place = match &input.location {
            Location::Url(url) if !url.username().is_empty() || url.password().is_some() => {
                return Err(Error::usage("a login in the URL of an input would be sent to all workers")
                    .input(input.location.to_string())
                    .hint("give the login to the workers, in their netrc file"));
            }
            Location::Url(url) => url.to_string(),
            Location::Stdin => {
                return Err(Error::usage("standard input cannot be sent to workers")
                    .hint("write it to a file that they can read, or to a server"));
            }
            // A worker has another working folder.
            Location::File(path) => std::path::absolute(path)
                .ok()
                .and_then(|path| path.to_str().map(str::to_owned))
                .ok_or_else(|| Error::usage("the path is not text").input(input.location.to_string()))?,
        };
        let (name, member) = (input.is_named.then(|| input.name.clone()), input.member.clone());
        Ok(Self { i, place, name, member, sha256: None, refused: None })
    }

    /// Returns a list of checksums with this input alone. The list is empty if the digest is empty.
    pub(crate) fn checksums(&self, input: &Input) -> Result<Option<Arc<Checksums>>> {
        let Some(digest) = &self.sha256 else { return Ok(None) };
        let line = if digest.is_empty() { String::new() } else { format!("{digest}  {}\n", input.location) };
        Checksums::read(line.as_bytes(), "the checksum of the job").map(Arc::new).map(Some)
    }

    pub(crate) fn input(&self) -> Result<Input> {
        if self.refused.is_some() {
            return Ok(Input::new(Location::File(self.place.clone().into())));
        }
        let mut input = Input::new(Location::parse(&self.place)?);
        if let Some(name) = &self.name {
            input = input.named(name);
        }
        input.member.clone_from(&self.member);
        Ok(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_comes_through_with_its_name_and_member_and_never_with_a_login() {
        let parse = |text: &str| Input::new(Location::parse(text).expect("a location"));
        let input = parse("https://h/a%20b.zip?v=1").named("a\tb").with_member("**/*.csv");
        let sent = serde_json::to_string(&JobInput::of(7, &input, None).expect("no login")).expect("JSON");
        let back: JobInput = serde_json::from_str(&sent).expect("the same");
        assert_eq!((back.i, back.input().expect("an input")), (7, input));
        let error = JobInput::of(0, &parse("https://me:secret@h/a.zip"), None).expect_err("a login");
        assert!(!format!("{error:?}").contains("secret") && error.hint_text().is_some(), "{error:?}");
        let list = raudal_source::read_list("https://h/a.zip\nftp://h/b.zip\n".as_bytes(), "urls.txt").expect("a list");
        let line = JobInput::of(1, &list[1], None).expect("a line that fails");
        assert_eq!(line.input().expect("a place").name, list[1].name);
        let error = line.refused.expect("a reason").into_error();
        assert_eq!(Some(error.report()), list[1].refusal().map(|error| error.report()));
        assert!(JobInput::of(0, &Input::new(Location::Stdin), None).is_err());
        let file = JobInput::of(0, &parse("a b.csv"), None).expect("a path");
        assert!(std::path::Path::new(&file.place).is_absolute());
    }
}
