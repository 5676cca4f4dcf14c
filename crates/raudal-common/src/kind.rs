//! What went wrong, and all that follows from it: each decision on a failure is a method here.
//!
//! | question | method | asked by |
//! |---|---|---|
//! | may the same request succeed? | [`Kind::is_transient`] | the retries of every job |
//! | may the network have done this? | [`Kind::may_be_damage_on_the_way`] | the pipeline: fetch all of it anew |
//! | do checksums contradict the bytes? | [`Kind::is_damage`] | the table |
//! | is it about what a table says? | [`Kind::is_about_content`] | the table: hold to the checksum first |
//! | is what has arrived good? | [`Kind::leaves_good_bytes`] | transfers: resume |
//! | may a later run use it? | [`Kind::spares_what_is_here`] | `get`: keep the partial file |
//! | does the host refuse work? | [`Kind::is_refusal`] | adaptive limits |
//! | what is a person to look at? | [`Kind::class`] | exit codes |

/// What went wrong, as far as a program needs to tell causes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A bad option, expression or pattern: said before anything is fetched.
    Usage,
    /// The name of a host does not resolve.
    Name,
    /// No connection to the host could be made.
    Connect,
    /// The TLS handshake or the certificate failed.
    Tls,
    /// The connection broke while it was in use.
    Reset,
    /// Connecting took too long, no byte arrived for too long, or an attempt passed its time-out.
    Timeout,
    /// The server answered with this status.
    Status(u16),
    /// A redirect that is not followed: too many, to a scheme that is not allowed, or without a target.
    Redirect,
    /// Something else stands where the data should be: an HTML page in place of an archive.
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
    /// A bound was passed: members, sizes, ratio, the length of a field.
    Bounds,
    /// No such member, or more than one where one was needed.
    Member,
    /// No such column.
    Column,
    /// The headers of two inputs differ.
    Headers,
    /// Bytes that are not of the encoding.
    Encoding,
    /// The records are not well-formed CSV.
    Csv,
    /// Local input or output failed.
    Io,
    /// Only what is stored already was asked for, and this is not.
    NotCached,
    /// An input is not what a lock file says that it was.
    Drift,
    /// The work was cancelled.
    Cancelled,
    /// A deadline passed.
    Deadline,
    /// A fault of the program itself: a panic in a job.
    Internal,
}

impl Kind {
    /// The kind as one word, for counts and reports. Statuses share the word `status`.
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

    /// Whether the same request may succeed when it is made again.
    ///
    /// 408, 425, 429 and the 5xx but 501 and 505 are worth another try (RFC 9110, sections 15.5.9 and 15.6;
    /// RFC 8470; RFC 6585). So is everything that a network, or a server under load, does to a body on its way.
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Status(status) => {
                matches!(status, 408 | 425 | 429 | 500 | 502..=504 | 506..=599)
            }
            Self::Name | Self::Connect | Self::Reset | Self::Timeout | Self::Impostor | Self::Empty | Self::Length => {
                true
            }
            _ => false,
        }
    }

    /// Whether a network, or a server under load, may have done this to good data on its way: the whole of it is worth
    /// another attempt.
    pub const fn may_be_damage_on_the_way(self) -> bool {
        self.is_damage() || matches!(self, Self::NotAnArchive | Self::Length | Self::Empty | Self::Impostor)
    }

    /// Whether bytes were found damaged by their own checksum or structure.
    pub const fn is_damage(self) -> bool {
        matches!(self, Self::Checksum | Self::Corrupt)
    }

    /// Whether it is about what a table says, which damage may have changed: the checksum at the end of its archive is
    /// to be held to first.
    pub const fn is_about_content(self) -> bool {
        matches!(self, Self::Csv | Self::Encoding | Self::Column | Self::Headers | Self::Bounds | Self::Empty)
    }

    /// Whether a transfer only ended too soon: what has arrived is good, and the rest can follow.
    pub const fn leaves_good_bytes(self) -> bool {
        matches!(self, Self::Reset | Self::Length | Self::Timeout)
    }

    /// Whether nobody is to blame for the bytes that are here: another run can go on with them.
    pub const fn spares_what_is_here(self) -> bool {
        self.is_transient() || matches!(self, Self::Io | Self::NotCached)
    }

    /// Whether the host refuses work that it may accept when it has less: it should be asked for less at once. A
    /// [`Timeout`](Self::Timeout) says so less surely, and is not among them.
    pub const fn is_refusal(self) -> bool {
        self.is_transient() && matches!(self, Self::Status(_) | Self::Reset | Self::Connect)
    }

    /// What a person has to look at. One place for what exit codes are made of.
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
            // A server that goes on sending something else, attempt after attempt, will not mend it while we wait.
            Self::NotAnArchive => Class::Permanent,
            _ => Class::Remote,
        }
    }
}

/// What a failure asks a person to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The program itself.
    Fault,
    /// The command.
    Usage,
    /// Bytes that are not those that were meant.
    Integrity,
    /// What the data says.
    Data,
    /// This machine: its disk, its permissions.
    Local,
    /// The time that was allowed.
    Deadline,
    /// The other side, which no further attempt will change.
    Permanent,
    /// The other side or the way to it; [`Kind::is_transient`] and [`Error::is_transient`](crate::Error::is_transient) say whether
    /// another attempt may help.
    Remote,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kind; 31] = [
        Kind::Usage,
        Kind::Name,
        Kind::Connect,
        Kind::Tls,
        Kind::Reset,
        Kind::Timeout,
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
            [Name, Connect, Reset, Timeout, Status(429), Status(503), Impostor, Empty, Length]
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
