//! What went wrong, and what follows from it: each decision about a failure is a method here.
//!
//! | question | method | asked by |
//! |---|---|---|
//! | may the same request succeed? | [`Kind::is_transient`] | the retries of every job |
//! | may it be network damage? | [`Kind::may_be_damage_on_the_way`] | the pipeline: fetch again |
//! | do checksums contradict the bytes? | [`Kind::is_damage`] | the table |
//! | is it about the content? | [`Kind::is_about_content`] | the table: verify the checksum first |
//! | are the received bytes good? | [`Kind::leaves_good_bytes`] | transfers: resume |
//! | may a later run use them? | [`Kind::spares_what_is_here`] | `get`: keep the partial file |
//! | does the host refuse work? | [`Kind::is_refusal`] | adaptive limits |
//! | what must a person look at? | [`Kind::class`] | exit codes |

/// What went wrong, as far as a program needs to tell causes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A bad option, expression or pattern, reported before anything is fetched.
    Usage,
    /// The host name does not resolve.
    Name,
    /// No connection to the host could be made.
    Connect,
    /// The TLS handshake or the certificate failed.
    Tls,
    /// The connection broke while it was in use.
    Reset,
    /// Connecting took too long, no byte arrived for too long, or an attempt passed its time-out.
    Timeout,
    /// The server responded with this status.
    Status(u16),
    /// A redirect that is not followed: too many, to a forbidden scheme, or without a target.
    Redirect,
    /// Other content in place of the data, such as an HTML page in place of an archive.
    Impostor,
    /// The body or the member is empty.
    Empty,
    /// The length differs from the one announced.
    Length,
    /// A checksum differs (a member's CRC-32, a digest).
    Checksum,
    /// The archive is damaged or cut off.
    Corrupt,
    /// The input is not an archive although its name says so.
    NotAnArchive,
    /// The archive uses something that is not supported: encryption, a compression method.
    Unsupported,
    /// A bound was exceeded: members, sizes, ratio, the length of a field.
    Bounds,
    /// No such member, or more than one where one was needed.
    Member,
    /// No such column.
    Column,
    /// The headers of two inputs differ.
    Headers,
    /// Bytes that are invalid in the encoding.
    Encoding,
    /// The records are not well-formed CSV.
    Csv,
    /// Local input or output failed.
    Io,
    /// Only cached data was allowed, and this is not cached.
    NotCached,
    /// An input differs from the lock file.
    Drift,
    /// The work was cancelled.
    Cancelled,
    /// A deadline passed.
    Deadline,
    /// A bug in the program: a panic in a job.
    Internal,
}

impl Kind {
    /// Returns the kind as one word, for counts and reports. All statuses share the word `status`.
    ///
    /// ```
    /// use raudal_common::Kind;
    /// assert_eq!(Kind::Status(503).word(), "status");
    /// assert_eq!(Kind::NotAnArchive.word(), "not-an-archive");
    /// ```
    pub const fn word(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Name => "name",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Status(_) => "status",
            Self::Redirect => "redirect",
            Self::Impostor => "impostor",
            Self::Empty => "empty",
            Self::Length => "length",
            Self::Checksum => "checksum",
            Self::Corrupt => "corrupt",
            Self::NotAnArchive => "not-an-archive",
            Self::Unsupported => "unsupported",
            Self::Bounds => "bounds",
            Self::Member => "member",
            Self::Column => "column",
            Self::Headers => "headers",
            Self::Encoding => "encoding",
            Self::Csv => "csv",
            Self::Io => "io",
            Self::NotCached => "not-cached",
            Self::Drift => "drift",
            Self::Cancelled => "cancelled",
            Self::Deadline => "deadline",
            Self::Internal => "internal",
        }
    }

    /// Returns the kind with this [word](Self::word). A status has no word of its own: `None`.
    ///
    /// ```
    /// use raudal_common::Kind;
    /// assert_eq!(Kind::from_word("not-an-archive"), Some(Kind::NotAnArchive));
    /// ```
    pub fn from_word(word: &str) -> Option<Self> {
        PLAIN.into_iter().find(|kind| kind.word() == word)
    }

    /// Returns whether the same request may succeed if repeated.
    ///
    /// 202 means that the answer is not ready yet. 408, 425, 429 and every 5xx except 501 and 505 are
    /// worth a retry too (RFC 9110, sections 15.3.3, 15.5.9 and 15.6; RFC 8470; RFC 6585). So are failures of the network, and an empty, short or wrong
    /// body.
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Status(status) => {
                matches!(status, 202 | 408 | 425 | 429 | 500 | 502..=504 | 506..=599)
            }
            Self::Name | Self::Connect | Self::Reset | Self::Timeout | Self::Impostor | Self::Empty | Self::Length => {
                true
            }
            _ => false,
        }
    }

    /// Returns whether a network, or a loaded server, may have damaged good data in transit. Then
    /// all of it is worth another attempt.
    pub const fn may_be_damage_on_the_way(self) -> bool {
        self.is_damage() || matches!(self, Self::NotAnArchive | Self::Length | Self::Empty | Self::Impostor)
    }

    /// Returns whether a checksum or the structure shows that bytes are damaged.
    pub const fn is_damage(self) -> bool {
        matches!(self, Self::Checksum | Self::Corrupt)
    }

    /// Returns whether it is about the content of a table. Damage may have changed that, so verify
    /// the checksum at the end of the archive first.
    pub const fn is_about_content(self) -> bool {
        matches!(self, Self::Csv | Self::Encoding | Self::Column | Self::Headers | Self::Bounds | Self::Empty)
    }

    /// Returns whether a transfer only ended too soon: the received bytes are good, and the rest
    /// can follow.
    pub const fn leaves_good_bytes(self) -> bool {
        matches!(self, Self::Reset | Self::Length | Self::Timeout)
    }

    /// Returns whether the received bytes are not at fault, so that another run can resume from
    /// them.
    pub const fn spares_what_is_here(self) -> bool {
        self.is_transient() || matches!(self, Self::Io | Self::NotCached)
    }

    /// Returns whether the host refuses work that it may accept under less load. Reduce its load at
    /// once. A [`Timeout`](Self::Timeout) is a weaker sign, and is not included.
    pub const fn is_refusal(self) -> bool {
        self.is_transient()
            && matches!(self, Self::Status(_) | Self::Reset | Self::Connect)
            && !matches!(self, Self::Status(202))
    }

    /// Returns what a person must look at. Exit codes are derived from it.
    pub const fn class(self) -> Class {
        match self {
            Self::Internal => Class::Fault,
            Self::Usage => Class::Usage,
            Self::Length | Self::Checksum | Self::Corrupt | Self::Drift => Class::Integrity,
            Self::Unsupported
            | Self::Bounds
            | Self::Member
            | Self::Column
            | Self::Headers
            | Self::Encoding
            | Self::Csv => Class::Data,
            Self::Io => Class::Local,
            Self::Deadline => Class::Deadline,
            // A server that sends something else on every attempt will not recover while we wait.
            Self::NotAnArchive => Class::Permanent,
            _ => Class::Remote,
        }
    }
}

/// All kinds but the statuses.
const PLAIN: [Kind; 26] = [
    Kind::Usage,
    Kind::Name,
    Kind::Connect,
    Kind::Tls,
    Kind::Reset,
    Kind::Timeout,
    Kind::Redirect,
    Kind::Impostor,
    Kind::Empty,
    Kind::Length,
    Kind::Checksum,
    Kind::Corrupt,
    Kind::NotAnArchive,
    Kind::Unsupported,
    Kind::Bounds,
    Kind::Member,
    Kind::Column,
    Kind::Headers,
    Kind::Encoding,
    Kind::Csv,
    Kind::Io,
    Kind::NotCached,
    Kind::Drift,
    Kind::Cancelled,
    Kind::Deadline,
    Kind::Internal,
];

/// What a person must look at after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The program itself.
    Fault,
    /// The command.
    Usage,
    /// Bytes that differ from the intended ones.
    Integrity,
    /// The content of the data.
    Data,
    /// This machine: its disk, its permissions.
    Local,
    /// The time limit.
    Deadline,
    /// The server, and no further attempt will help.
    Permanent,
    /// The server or the network. [`Kind::is_transient`] and
    /// [`Error::is_transient`](crate::Error::is_transient) tell whether another attempt may help.
    Remote,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kind; 32] = [
        Kind::Usage,
        Kind::Name,
        Kind::Connect,
        Kind::Tls,
        Kind::Reset,
        Kind::Timeout,
        Kind::Status(202),
        Kind::Status(404),
        Kind::Status(429),
        Kind::Status(501),
        Kind::Status(503),
        Kind::Redirect,
        Kind::Impostor,
        Kind::Empty,
        Kind::Length,
        Kind::Checksum,
        Kind::Corrupt,
        Kind::NotAnArchive,
        Kind::Unsupported,
        Kind::Bounds,
        Kind::Member,
        Kind::Column,
        Kind::Headers,
        Kind::Encoding,
        Kind::Csv,
        Kind::Io,
        Kind::NotCached,
        Kind::Drift,
        Kind::Cancelled,
        Kind::Deadline,
        Kind::Internal,
        Kind::Status(600),
    ];

    fn those(holds: impl Fn(Kind) -> bool) -> Vec<Kind> {
        ALL.into_iter().filter(|kind| holds(*kind)).collect()
    }

    #[test]
    fn each_question_has_the_answer_that_its_askers_rely_on() {
        use Kind::*;
        assert_eq!(
            those(Kind::is_transient),
            [Name, Connect, Reset, Timeout, Status(202), Status(429), Status(503), Impostor, Empty, Length]
        );
        assert_eq!(those(Kind::may_be_damage_on_the_way), [Impostor, Empty, Length, Checksum, Corrupt, NotAnArchive]);
        assert_eq!(those(Kind::is_damage), [Checksum, Corrupt]);
        assert_eq!(those(Kind::is_about_content), [Empty, Bounds, Column, Headers, Encoding, Csv]);
        assert_eq!(those(Kind::leaves_good_bytes), [Reset, Timeout, Length]);
        assert_eq!(those(Kind::is_refusal), [Connect, Reset, Status(429), Status(503)]);
        let spared: Vec<Kind> = those(Kind::is_transient).into_iter().chain([Io, NotCached]).collect();
        assert_eq!(those(Kind::spares_what_is_here), spared);
        assert_eq!(those(|kind| kind.class() == Class::Integrity), [Length, Checksum, Corrupt, Drift]);
        assert_eq!(
            those(|kind| kind.class() == Class::Data),
            [Unsupported, Bounds, Member, Column, Headers, Encoding, Csv]
        );
    }

    #[test]
    fn bytes_that_checksums_contradict_are_never_good_bytes() {
        assert!(ALL.into_iter().all(|kind| !(kind.is_damage() && kind.leaves_good_bytes())));
        assert!(those(Kind::is_damage).into_iter().all(Kind::may_be_damage_on_the_way));
    }
}
