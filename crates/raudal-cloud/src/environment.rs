//! The environment variables with the server and the credentials of a store.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Variables that begin with one of these belong to a store.
const OURS: [&str; 6] = ["AWS_", "GOOGLE_", "AZURE_", "AZURITE_", "STORAGE_EMULATOR_", "SERVICE_ACCOUNT"];
const HOMES: [&str; 3] = ["HOME", "USERPROFILE", "APPDATA"];

/// The environment that credentials, regions and servers are read from.
///
/// ```
/// use raudal_cloud::Environment;
///
/// let environment: Environment = [("AWS_REGION", " eu-west-1 "), ("AWS_PROFILE", "")].into_iter().collect();
/// assert_eq!(environment.get("AWS_REGION"), Some("eu-west-1"));
/// assert_eq!(environment.get("AWS_PROFILE"), None);
/// ```
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Reads the variables of this process.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        std::env::vars_os().filter_map(text).collect()
    }

    /// Returns the value of a variable, without white space around it. An empty one counts as unset.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Returns the value of the first of these variables that is set.
    pub(crate) fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on" | "y"))
    }

    /// Returns the variables of a service, such as those that begin with `AWS_`.
    pub(crate) fn of(&self, service: &str) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .keys()
            .filter(move |name| name.starts_with(service))
            .filter_map(|name| Some((name.as_str(), self.get(name)?)))
    }

    /// Returns the home folder of the user.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        self.first(&HOMES[..2]).map(PathBuf::from)
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        let is_ours = |name: &str| HOMES.contains(&name) || OURS.iter().any(|start| name.starts_with(start));
        let named = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self(named.filter(|(name, _): &(String, String)| is_ours(name)).collect())
    }
}

/// Shows the names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
