//! Logins by host, as a `.netrc` file lists them. Pure, except for reading the file.
//!
//! The format is that of ftp(1), with curl's quotes: words separated by white space, with the
//! keywords `machine NAME`, `default`, `login`, `password`, `account` and `macdef`. The contents
//! are secret: neither errors nor `Debug` show them.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use url::Url;

use raudal_common::{Error, Result};

/// A file larger than this was not written by a person.
const LARGEST: u64 = 1 << 20;

/// The logins of a `.netrc` file. A client sends each login only to its own host. A redirect to
/// another host or port does not get it, except from http to https on the same host.
///
/// ```
/// use raudal_fetch::{Client, Netrc, Options};
///
/// let mut options = Options::default();
/// options.netrc = Netrc::parse("machine example.org login me password secret")?;
/// assert_eq!(format!("{:?}", options.netrc), r#"Netrc { machines: ["example.org"], default: false }"#);
/// let client = Client::new(&options)?;
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Netrc {
    machines: Vec<(String, NetrcLogin)>,
    default: Option<NetrcLogin>,
}

#[derive(Clone, Default)]
struct NetrcLogin {
    name: String,
    password: String,
}

impl Netrc {
    /// Reads a file. It blocks.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Io`](raudal_common::Kind::Io) if the file cannot be read, and
    /// of the kind [`Usage`](raudal_common::Kind::Usage) if it is not a list of logins. The message
    /// names the line, but quotes nothing of it.
    pub fn read(path: &Path) -> Result<Self> {
        let named = |error: Error| error.input(path.display().to_string());
        let cannot = |error| named(Error::io("cannot read the logins", error).hint("[`no_netrc`] ignores the file"));
        if std::fs::metadata(path).map_err(cannot)?.len() > LARGEST {
            return Err(named(Error::usage("the list of logins is too large").hint("[`no_netrc`] ignores the file")));
        }
        let text = String::from_utf8(std::fs::read(path).map_err(cannot)?).map_err(|_| {
            named(Error::usage("the list of logins is not UTF-8").hint("[`no_netrc`] ignores the file"))
        })?;
        Self::parse(&text).map_err(named)
    }

    /// Parses a text in this format.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Usage`](raudal_common::Kind::Usage) if the text is malformed.
    pub fn parse(text: &str) -> Result<Self> {
        let mut words = Words { rest: text, line: 1 };
        let mut found = Self::default();
        // The entry that `login` and `password` belong to. There is none before the first machine.
        let mut current: Option<(Option<String>, NetrcLogin)> = None;
        while let Some((word, is_quoted)) = words.next()? {
            let line = words.line;
            let bad = |what: &str| Error::usage(what.to_owned()).line(line).hint("[`no_netrc`] ignores the file");
            match word.as_str() {
                _ if is_quoted => return Err(bad("a quoted text in place of a keyword such as machine or login")),
                "machine" => {
                    found.add(current.take());
                    current = Some((Some(words.value("machine")?), NetrcLogin::default()));
                }
                "default" => {
                    found.add(current.take());
                    current = Some((None, NetrcLogin::default()));
                }
                "login" | "password" | "account" => {
                    let value = words.value(&word)?;
                    let Some((_, login)) = &mut current else {
                        return Err(bad("a login without a machine"));
                    };
                    match word.as_str() {
                        // A colon separates the login from the password when they are sent (RFC
                        // 7617, section 2).
                        "login" if value.contains(':') => return Err(bad("a login name with a colon")),
                        "login" => login.name = value,
                        "password" => login.password = value,
                        _ => {}
                    }
                }
                "macdef" => words.skip_macro(),
                _ if word.starts_with('#') => words.skip_line(),
                _ => {
                    return Err(bad(
                        "a word that is not one of the keywords machine, default, login, password, account, macdef",
                    ));
                }
            }
        }
        found.add(current);
        Ok(found)
    }

    fn add(&mut self, entry: Option<(Option<String>, NetrcLogin)>) {
        match entry {
            Some((Some(machine), login)) => self.machines.push((machine, login)),
            Some((None, login)) => drop(self.default.get_or_insert(login)),
            None => {}
        }
    }

    /// Returns the `Authorization` value for the host of a URL. The first machine of that name
    /// counts, else the default.
    pub(crate) fn authorization(&self, url: &Url) -> Option<HeaderValue> {
        let host = url.host_str()?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_it = |name: &str| name.eq_ignore_ascii_case(host) || name.eq_ignore_ascii_case(bare);
        let own = self.machines.iter().find(|(machine, _)| is_it(machine)).map(|(_, login)| login);
        let login =
            own.or(self.default.as_ref()).filter(|login| !(login.name.is_empty() && login.password.is_empty()))?;
        let encoded = STANDARD.encode(format!("{}:{}", login.name, login.password));
        let mut value = HeaderValue::from_str(&format!("Basic {encoded}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Shows neither logins nor passwords.
impl fmt::Debug for Netrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Netrc")
            .field("machines", &self.machines.iter().map(|(machine, _)| machine).collect::<Vec<_>>())
            .field("default", &self.default.is_some())
            .finish()
    }
}

/// Splits a text into words. `line` is the line of the last word.
struct Words<'a> {
    rest: &'a str,
    line: u64,
}

impl Words<'_> {
    /// Moves forward by this number of bytes.
    fn pass(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at(bytes);
        self.line += passed.bytes().filter(|byte| *byte == b'\n').count() as u64;
        self.rest = rest;
    }

    fn skip_line(&mut self) {
        self.pass(self.rest.find('\n').unwrap_or(self.rest.len()));
    }

    /// Skips a macro, which ends with an empty line.
    fn skip_macro(&mut self) {
        while !self.rest.is_empty() {
            self.skip_line();
            self.pass(usize::from(!self.rest.is_empty()));
            let line = self.rest.split('\n').next().unwrap_or_default();
            if line.trim_end_matches('\r').is_empty() {
                return;
            }
        }
    }

    /// Returns the next word, and whether it was quoted.
    fn next(&mut self) -> Result<Option<(String, bool)>> {
        self.pass(self.rest.len() - self.rest.trim_start().len());
        if self.rest.is_empty() {
            return Ok(None);
        }
        if self.rest.starts_with('"') {
            return self.quoted().map(|word| Some((word, true)));
        }
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        let word = self.rest[..end].to_owned();
        self.pass(end);
        Ok(Some((word, false)))
    }

    /// Parses a quoted text. A backslash escapes the next character; `\n`, `\r` and `\t` have their
    /// usual meaning.
    fn quoted(&mut self) -> Result<String> {
        let mut word = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.pass(at + 1);
                    return Ok(word);
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => word.push('\n'),
                    Some((_, 'r')) => word.push('\r'),
                    Some((_, 't')) => word.push('\t'),
                    Some((_, other)) => word.push(other),
                    None => break,
                },
                '\n' => break,
                other => word.push(other),
            }
        }
        Err(Error::usage("a quote that is not closed on its line")
            .line(self.line)
            .hint("[`no_netrc`] ignores the file"))
    }

    /// Returns the word that follows a keyword such as `login`.
    fn value(&mut self, of: &str) -> Result<String> {
        let line = self.line;
        self.next()?.map(|(word, _)| word).ok_or_else(|| {
            Error::usage(format!("no value after the keyword: {of}")).line(line).hint("[`no_netrc`] ignores the file")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str, url: &str) -> Option<String> {
        let netrc = Netrc::parse(text).expect(text);
        let value = netrc.authorization(&Url::parse(url).expect(url))?;
        let encoded = value.to_str().expect("ASCII").strip_prefix("Basic ").expect("Basic").to_owned();
        Some(String::from_utf8(STANDARD.decode(encoded).expect("base64")).expect("UTF-8"))
    }

    const FILE: &str = "\
# mine
machine example.org login me password s3cret
machine EXAMPLE.net
    account ignored
    password \"a b\\\"c\\\\d\\te\"
    login you
macdef init
machine trap.example login no password no
quit

machine ::1 login six password #6
default login anyone password guest
machine late.example login late password x
";

    #[test]
    fn each_host_has_its_login_and_any_other_the_default() {
        assert_eq!(sent(FILE, "https://example.org/a").as_deref(), Some("me:s3cret"));
        assert_eq!(sent(FILE, "http://Example.NET:8080/").as_deref(), Some("you:a b\"c\\d\te"));
        assert_eq!(sent(FILE, "http://[::1]/").as_deref(), Some("six:#6"));
        assert_eq!(sent(FILE, "http://late.example/").as_deref(), Some("late:x"));
        for other in ["http://trap.example/", "http://sub.example.org/", "http://example.org.evil/"] {
            assert_eq!(sent(FILE, other).as_deref(), Some("anyone:guest"));
        }
        assert_eq!(sent("machine h login a password b", "http://other/"), None);
        assert_eq!(
            sent("machine h login a password b\nmachine h login c password d", "http://h/").as_deref(),
            Some("a:b")
        );
        assert_eq!(sent("machine h", "http://h/"), None);
        assert_eq!(sent("machine\r\nh\r\nlogin\r\nñ\r\npassword\r\nü\r\n", "http://h/").as_deref(), Some("ñ:ü"));
        assert_eq!(sent("", "http://h/"), None);
    }

    #[test]
    fn what_is_no_list_of_logins_is_refused_by_its_line_and_nothing_secret_is_shown() {
        for (text, line, message) in [
            ("login me password s3cret", 1, "a login without a machine"),
            ("machine h\npassword", 2, "no value after the keyword: password"),
            ("machine h login me\n\npassword \"s3cret\nlogin you", 3, "a quote that is not closed on its line"),
            (
                "machine h password s3cret s3cret",
                1,
                "a word that is not one of the keywords machine, default, login, password, account, macdef",
            ),
            ("machine h\nlogin s3:cret", 2, "a login name with a colon"),
            ("machine h \"login\" s3cret", 1, "a quoted text in place of a keyword such as machine or login"),
        ] {
            let error = Netrc::parse(text).expect_err(text);
            assert_eq!(error.to_string(), format!("line {line}: {message}"));
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
        assert!(!format!("{:?}", Netrc::parse(FILE).expect("good")).contains("s3cret"));
    }
}
