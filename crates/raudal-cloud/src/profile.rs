//! The files of the AWS command line: `~/.aws/credentials` and `~/.aws/config`.
//!
//! The library that signs requests does not read them. From the profile, keys, the session token, the
//! region and the server are taken. What needs other programs or requests (SSO, roles,
//! `credential_process`) is named, with the command that turns it into variables.

use crate::environment::Environment;
use raudal_common::{Error, Result};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;

/// What one profile says.
#[derive(Default)]
pub(crate) struct Profile {
    name: String,
    settings: BTreeMap<String, String>,
}

impl Profile {
    /// Reads the profile that `AWS_PROFILE` names, else `default`.
    ///
    /// # Errors
    ///
    /// Fails with a usage error if the named profile is in neither file. Fails if a file cannot be read.
    pub(crate) fn read(environment: &Environment) -> Result<Self> {
        let named = environment.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]);
        let name = named.unwrap_or("default").to_owned();
        let mut profile = Self { name, settings: BTreeMap::new() };
        let mut is_there = false;
        // What is in the first file counts.
        for (variable, file, prefix) in
            [("AWS_SHARED_CREDENTIALS_FILE", "credentials", ""), ("AWS_CONFIG_FILE", "config", "profile ")]
        {
            let path = environment.get(variable).map(PathBuf::from);
            let path = path.or_else(|| Some(environment.home()?.join(".aws").join(file)));
            let Some(path) = path else { continue };
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => {
                    return Err(Error::io("cannot read the profiles of AWS", error).input(path.display().to_string()));
                }
            };
            is_there |= profile.add(&text, prefix);
        }
        if let (Some(name), false) = (named, is_there) {
            return Err(Error::usage(format!("no such profile of AWS: {name}"))
                .hint("check AWS_PROFILE, ~/.aws/credentials and ~/.aws/config"));
        }
        Ok(profile)
    }

    /// Adds the settings of a file. Returns whether it has the profile.
    fn add(&mut self, text: &str, prefix: &str) -> bool {
        let (mut is_there, mut is_ours) = (false, false);
        for line in text.lines() {
            // An indented line is a part of the setting before it.
            if line.starts_with([' ', '\t']) || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(section) = line.trim().strip_prefix('[').and_then(|line| line.split(']').next()) {
                let section = section.trim();
                is_ours = section == self.name && (prefix.is_empty() || section == "default")
                    || !prefix.is_empty() && section.strip_prefix(prefix).map(str::trim) == Some(self.name.as_str());
                is_there |= is_ours;
            } else if let (true, Some((key, value))) = (is_ours, line.split_once('='))
                && !value.trim().is_empty()
            {
                self.settings.entry(key.trim().to_ascii_lowercase()).or_insert_with(|| value.trim().to_owned());
            }
        }
        is_there
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(String::as_str)
    }

    /// Returns the key, the secret and the session token.
    pub(crate) fn keys(&self) -> Option<(String, String, Option<String>)> {
        let owned = |key| self.get(key).map(str::to_owned);
        Some((owned("aws_access_key_id")?, owned("aws_secret_access_key")?, owned("aws_session_token")))
    }

    /// Returns an error if the profile gets its credentials in a way that is not read here.
    pub(crate) fn refuse_other(&self) -> Result<()> {
        let others =
            ["sso_session", "sso_start_url", "role_arn", "credential_process", "credential_source", "login_session"];
        let Some(other) = others.into_iter().find(|key| self.settings.contains_key(*key)) else { return Ok(()) };
        let name = &self.name;
        Err(Error::usage(format!("the credentials of a profile of AWS are not in its file, but by {other}: {name}"))
            .hint(format!(
                "export them first: eval \"$(aws configure export-credentials --profile {name} --format env)\""
            )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = "[default]\naws_access_key_id = A\naws_secret_access_key=b=c\n\n; no\n[ work ]\naws_access_key_id = W\n\
        aws_secret_access_key = x\naws_session_token = t\n";
    const CONFIG: &str = "[default]\nregion = eu-west-1\ns3 =\n  endpoint_url = no\n[profile work]\nregion=sa-east-1\n\
        endpoint_url = http://h:1\naws_access_key_id = no\n[profile sso]\nsso_session = x\n[work]\nregion = no\n";

    fn read(name: &str) -> Result<Profile> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(".aws")).expect("a folder");
        std::fs::write(folder.path().join(".aws/credentials"), CREDENTIALS).expect("a file");
        std::fs::write(folder.path().join(".aws/config"), CONFIG).expect("a file");
        Profile::read(&[("HOME", folder.path().to_str().expect("text")), ("AWS_PROFILE", name)].into_iter().collect())
    }

    #[test]
    fn a_profile_is_made_of_both_files_and_the_credentials_come_first() {
        let default = read("").expect("the default");
        assert_eq!(default.keys(), Some(("A".into(), "b=c".into(), None)));
        assert_eq!((default.get("region"), default.get("endpoint_url")), (Some("eu-west-1"), None));
        let work = read("work").expect("a profile");
        assert_eq!(work.keys(), Some(("W".into(), "x".into(), Some("t".into()))));
        assert_eq!((work.get("region"), work.get("endpoint_url")), (Some("sa-east-1"), Some("http://h:1")));
        assert!(work.refuse_other().is_ok());
    }

    #[test]
    fn what_is_not_read_and_what_is_not_there_is_said_with_a_cure() {
        let error = read("sso").expect("a profile").refuse_other().expect_err("not read");
        assert_eq!(error.message(), "the credentials of a profile of AWS are not in its file, but by sso_session: sso");
        assert!(error.hint_text().expect("a hint").contains("aws configure export-credentials --profile sso"));
        let error = read("none").err().expect("not there");
        assert_eq!(error.message(), "no such profile of AWS: none");
        let nowhere = Profile::read(&[("HOME", "/no/such/folder")].into_iter().collect()).expect("no files");
        assert!(nowhere.keys().is_none());
    }
}
