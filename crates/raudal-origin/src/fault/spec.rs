//! Reads a fault: what it does and when it applies, as in `reset@50%:p=0.1`. Pure.

use raudal_common::error::printable;
use raudal_common::units::{parse_bytes, parse_duration};
use raudal_common::{Error, Result, glob};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The kinds, as a message lists them.
const KINDS: &str = "refuse, stall, drip, reset, cut, length, content-range, no-range, changed, page, empty, flip, loop, \
                     elsewhere, chunked, gzip, slow-head, big-head, or a status from 400 to 599";

/// The default rate of `drip` and `slow-head`, in bytes per second: a tiny archive takes as long as
/// a patient user waits.
const DRIP: u64 = 1000;
/// The default size of a big head: that of a server that has a bug, or means harm.
const BIG_HEAD: u64 = 1 << 20;

/// A fault that an origin makes on purpose, to test how a client handles it.
///
/// It is written `KIND[@WHERE][:ITEM,ITEM...]`:
///
/// | kind | what the origin does |
/// |---|---|
/// | `refuse` | reads the request and resets the connection, without a byte of a response |
/// | `stall`, `stall@WHERE` | never responds; with WHERE, sends the head and the body up to there, then nothing, not even an end |
/// | `drip` | sends the body at `rate` bytes per second, 1000 by default |
/// | `reset@WHERE` | resets the connection (a real RST) there, half-way by default |
/// | `cut@WHERE` | closes the connection normally there, half-way by default |
/// | `length@WHERE` | announces this length, twice the true one by default, and sends all bytes |
/// | `content-range` | sends a range, but says that it begins a byte later |
/// | `no-range` | responds to a range request with 200 and the whole |
/// | `changed@WHERE` | breaks off there, half-way by default; from then on the file has other bytes and validators, but the same rows |
/// | `429`, `503`, any status from 400 to 599 | responds with this status, and on request with `Retry-After` in seconds (`after=2s`) or as a date (`until=2s`) |
/// | `page` | responds with 200 and an HTML page |
/// | `empty` | responds with an empty body and the usual status |
/// | `flip`, `flip@WHERE` | flips a bit, at a random byte or there |
/// | `loop` | redirects in a loop |
/// | `elsewhere` | redirects to the same file on another host: from `127.0.0.1` to `localhost`, and back |
/// | `chunked` | announces no length |
/// | `gzip` | compresses the body for the transfer (`Content-Encoding`) |
/// | `slow-head` | sends the head at `rate` bytes per second, 1000 by default |
/// | `big-head@SIZE` | adds this many bytes to the head, 1 MiB by default |
///
/// WHERE is a number of bytes of the response's body (`4096`, `1KiB`) or a share of it (`50%`).
/// Without an item that selects requests, the fault applies to every request. The items are:
///
/// | item | which requests |
/// |---|---|
/// | `p=0.1` | each with this probability. Only the seed of the origin, the path, and the number of requests for this path so far decide, so the order of connections changes nothing |
/// | `n=1,3` | the first and the third for each path |
/// | `every=4` | the fourth, the eighth, ... for each path |
/// | `match=GLOB` | only those for such names, or for such paths if there is a slash in it. It comes last |
///
/// If several faults match a request, only the first one applies.
///
/// ```
/// use raudal_origin::{Fault, Options};
///
/// let mut options = Options::default();
/// options.faults = vec!["reset@50%:p=0.1".parse()?, "503:n=1,2,after=1s,match=*_07_*".parse()?];
///
/// let error = "rest@50%".parse::<Fault>().unwrap_err();
/// assert_eq!(error.to_string(), "no such fault: rest, at character 1 of rest@50%");
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    text: String,
    pub(super) what: FaultKind,
    pub(super) when: Trigger,
    /// A glob over the name, or over the whole path if it has a slash.
    pub(super) path: Option<String>,
}

/// What the fault does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum FaultKind {
    Refuse,
    /// Before the head, if there is no position.
    Stall(Option<BodyOffset>),
    Drip {
        rate: u64,
    },
    Reset(BodyOffset),
    Cut(BodyOffset),
    Length(BodyOffset),
    ContentRange,
    NoRange,
    Changed(BodyOffset),
    Status(u16, Option<RetryAfter>),
    Page,
    Empty,
    Flip(Option<BodyOffset>),
    Loop,
    Elsewhere,
    Chunked,
    Gzip,
    SlowHead {
        rate: u64,
    },
    BigHead {
        bytes: u64,
    },
}

/// The two forms of `Retry-After` (RFC 9110, section 10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryAfter {
    Seconds(u64),
    Date(Duration),
}

/// A position in a body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum BodyOffset {
    Bytes(u64),
    Percent(f64),
}

impl BodyOffset {
    const HALF: Self = Self::Percent(50.0);

    /// Returns the position in a body of this length. It may be after its end.
    pub(super) fn of(self, length: usize) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => (length as f64 * percent / 100.0) as u64,
        }
    }
}

/// Which requests of a path it applies to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Trigger {
    Always,
    Chance(f64),
    /// Counted from 1.
    Numbers(Vec<u64>),
    Every(u64),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parser = FaultParser { text };
        let (head, items) = text.split_once(':').map_or((text, None), |(head, items)| (head, Some(items)));
        let (kind, place) = head.split_once('@').map_or((head, None), |(kind, place)| (kind, Some(place)));
        let items = parser.items(items)?;
        let mut what = parser.kind(kind)?;
        if let Some(place) = place {
            parser.put(&mut what, kind, place)?;
        }
        for item in &items {
            parser.adjust(&mut what, item)?;
        }
        let mut when = items.iter().filter_map(|item| parser.when(item).transpose());
        let first = when.next().transpose()?;
        if let Some(second) = when.next() {
            second?;
            return Err(parser.wrong("give only one of p, n and every", text));
        }
        let path = items.iter().find(|(name, _)| *name == "match").map(|(_, glob)| (*glob).to_owned());
        Ok(Self { text: text.to_owned(), what, when: first.unwrap_or(Trigger::Always), path })
    }
}

/// A name and its value.
type Item<'a> = (&'a str, &'a str);

struct FaultParser<'a> {
    text: &'a str,
}

impl<'a> FaultParser<'a> {
    /// An error at a part of the text.
    fn wrong(&self, what: &str, part: &str) -> Error {
        let at = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let column = self.text.get(..at).map_or(0, |before| before.chars().count()) + 1;
        Error::usage(format!("{what}, at character {column} of {}", printable(self.text)))
            .hint(format!("KIND[@WHERE][:p=0.1|n=1,3|every=4][,match=GLOB]; the kinds are {KINDS}"))
    }

    /// Reads the items. A part without `=` belongs to the list before it.
    fn items(&self, text: Option<&'a str>) -> Result<Vec<Item<'a>>> {
        let mut items: Vec<Item<'a>> = Vec::new();
        let Some(mut rest) = text else { return Ok(items) };
        loop {
            let (name, after) = rest.split_once('=').ok_or_else(|| self.wrong("an item without a value", rest))?;
            // A glob may have commas in it.
            let end = if name == "match" { after.len() } else { value_end(after) };
            if !["p", "n", "every", "match", "rate", "after", "until"].contains(&name) {
                return Err(self.wrong(&format!("no such item: {}", printable(name)), rest));
            }
            if items.iter().any(|(earlier, _)| *earlier == name) {
                return Err(self.wrong(&format!("an item twice: {name}"), rest));
            }
            items.push((name, &after[..end]));
            match after.get(end + 1..) {
                Some(next) => rest = next,
                None => return Ok(items),
            }
        }
    }

    fn kind(&self, kind: &str) -> Result<FaultKind> {
        Ok(match kind {
            "refuse" => FaultKind::Refuse,
            "stall" => FaultKind::Stall(None),
            "drip" => FaultKind::Drip { rate: DRIP },
            "reset" => FaultKind::Reset(BodyOffset::HALF),
            "cut" => FaultKind::Cut(BodyOffset::HALF),
            "length" => FaultKind::Length(BodyOffset::Percent(200.0)),
            "content-range" => FaultKind::ContentRange,
            "no-range" => FaultKind::NoRange,
            "changed" => FaultKind::Changed(BodyOffset::HALF),
            "page" => FaultKind::Page,
            "empty" => FaultKind::Empty,
            "flip" => FaultKind::Flip(None),
            "loop" => FaultKind::Loop,
            "elsewhere" => FaultKind::Elsewhere,
            "chunked" => FaultKind::Chunked,
            "gzip" => FaultKind::Gzip,
            "slow-head" => FaultKind::SlowHead { rate: DRIP },
            "big-head" => FaultKind::BigHead { bytes: BIG_HEAD },
            _ => match kind.parse() {
                Ok(status @ 400..=599) if kind.len() == 3 => FaultKind::Status(status, None),
                _ => return Err(self.wrong(&format!("no such fault: {}", printable(kind)), kind)),
            },
        })
    }

    fn put(&self, what: &mut FaultKind, kind: &str, text: &str) -> Result<()> {
        let place = match text.strip_suffix('%') {
            Some(percent) => {
                percent.parse().ok().filter(|percent| (0.0..=10_000.0).contains(percent)).map(BodyOffset::Percent)
            }
            None => parse_bytes(text).ok().map(BodyOffset::Bytes),
        };
        let place = place.ok_or_else(|| self.wrong("not a position in a body, such as 50% or 4096", text))?;
        match (what, place) {
            (FaultKind::Reset(own) | FaultKind::Cut(own) | FaultKind::Length(own) | FaultKind::Changed(own), place) => {
                *own = place;
            }
            (FaultKind::Stall(own) | FaultKind::Flip(own), place) => *own = Some(place),
            // The limit for a head is 256 MiB, to bound the memory.
            (FaultKind::BigHead { bytes }, BodyOffset::Bytes(size @ 0..=0x1000_0000)) => *bytes = size,
            (FaultKind::BigHead { .. }, _) => return Err(self.wrong("not the size of a head, such as 1MiB", text)),
            _ => return Err(self.wrong(&format!("{kind} takes no position"), text)),
        }
        Ok(())
    }

    /// Applies an item that changes what the fault does.
    fn adjust(&self, what: &mut FaultKind, (name, value): &Item<'_>) -> Result<()> {
        let strange = || self.wrong(&format!("this kind takes no {name}"), value);
        let time = || parse_duration(value).map_err(|_| self.wrong("not a time, such as 2s", value));
        match (*name, what) {
            ("rate", FaultKind::Drip { rate } | FaultKind::SlowHead { rate }) => {
                let bytes = parse_bytes(value).ok().filter(|bytes| *bytes > 0);
                *rate = bytes.ok_or_else(|| self.wrong("not a rate in bytes a second, such as 1kB", value))?;
            }
            ("after", FaultKind::Status(_, wait @ None)) => *wait = Some(RetryAfter::Seconds(time()?.as_secs())),
            ("until", FaultKind::Status(_, wait @ None)) => *wait = Some(RetryAfter::Date(time()?)),
            ("after" | "until", FaultKind::Status(..)) => {
                return Err(self.wrong("give only one of after and until", value));
            }
            ("rate" | "after" | "until", _) => return Err(strange()),
            ("match", _) => {
                glob::validate(value).map_err(|error| self.wrong(&format!("a bad pattern: {error}"), value))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn when(&self, (name, value): &Item<'_>) -> Result<Option<Trigger>> {
        let count = |text: &str| text.parse::<u64>().ok().filter(|n| *n > 0);
        Ok(Some(match *name {
            "p" => {
                let p = value.parse().ok().filter(|p| (0.0..=1.0).contains(p));
                Trigger::Chance(p.ok_or_else(|| self.wrong("not a probability from 0 to 1", value))?)
            }
            "n" => {
                let numbers = value.split(',').map(count).collect::<Option<Vec<_>>>();
                Trigger::Numbers(numbers.ok_or_else(|| self.wrong("not numbers of requests, counted from 1", value))?)
            }
            "every" => Trigger::Every(count(value).ok_or_else(|| self.wrong("not a number of requests", value))?),
            _ => return Ok(None),
        }))
    }
}

/// Returns where a value ends: before the comma that no digit follows, because a list of numbers
/// has commas too.
fn value_end(text: &str) -> usize {
    let is_item = |after: &str| !after.as_bytes().first().is_some_and(u8::is_ascii_digit);
    text.match_indices(',').map(|(at, _)| at).find(|at| is_item(&text[at + 1..])).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        text.parse().unwrap_or_else(|error| panic!("{error:?}"))
    }

    #[test]
    fn a_fault_is_a_kind_a_place_and_a_time() {
        for (text, what, when) in [
            ("refuse", FaultKind::Refuse, Trigger::Always),
            ("reset@50%:p=0.1", FaultKind::Reset(BodyOffset::HALF), Trigger::Chance(0.1)),
            ("reset@1KiB:every=4", FaultKind::Reset(BodyOffset::Bytes(1024)), Trigger::Every(4)),
            ("stall@0", FaultKind::Stall(Some(BodyOffset::Bytes(0))), Trigger::Always),
            ("length@150%:n=1", FaultKind::Length(BodyOffset::Percent(150.0)), Trigger::Numbers(vec![1])),
            ("503:n=1,2,after=2s", FaultKind::Status(503, Some(RetryAfter::Seconds(2))), Trigger::Numbers(vec![1, 2])),
            (
                "429:until=1min,p=1",
                FaultKind::Status(429, Some(RetryAfter::Date(Duration::from_secs(60)))),
                Trigger::Chance(1.0),
            ),
            ("drip:rate=5kB", FaultKind::Drip { rate: 5000 }, Trigger::Always),
            ("big-head@10", FaultKind::BigHead { bytes: 10 }, Trigger::Always),
        ] {
            let fault = fault(text);
            assert_eq!((fault.what, &fault.when, fault.to_string().as_str()), (what, &when, text));
        }
        assert_eq!(fault("cut:n=1,3,match=*.{zip,gz}").path.as_deref(), Some("*.{zip,gz}"));
        assert_eq!(fault("page:match=a=b").path.as_deref(), Some("a=b"));
    }

    #[test]
    fn a_place_is_bytes_or_a_share() {
        assert_eq!(BodyOffset::Bytes(7).of(3), 7);
        assert_eq!(BodyOffset::Percent(50.0).of(3), 1);
        assert_eq!(BodyOffset::Percent(200.0).of(300), 600);
        assert_eq!(BodyOffset::HALF.of(0), 0);
    }

    #[test]
    fn a_bad_fault_is_refused_where_it_is_bad_and_the_kinds_are_listed() {
        for (text, says) in [
            ("", "no such fault: , at character 1 of "),
            ("rest@50%", "no such fault: rest, at character 1 of rest@50%"),
            ("399", "no such fault: 399"),
            ("0503", "no such fault: 0503"),
            ("reset@x", "not a position in a body, such as 50% or 4096, at character 7 of reset@x"),
            ("reset@-1%", "not a position"),
            ("refuse@50%", "refuse takes no position, at character 8"),
            ("big-head@50%", "not the size of a head"),
            ("reset:", "an item without a value, at character 7"),
            ("reset:soon=1", "no such item: soon, at character 7"),
            ("reset:p=2", "not a probability from 0 to 1, at character 9"),
            ("reset:p=NaN", "not a probability"),
            ("reset:n=0", "not numbers of requests"),
            ("reset:n=1,,2", "an item without a value"),
            ("reset:every=0", "not a number of requests"),
            ("reset:n=1,n=2", "an item twice: n"),
            ("reset:p=0.1,every=2", "only one of p, n and every"),
            ("reset:rate=5", "this kind takes no rate, at character 12"),
            ("drip:rate=0", "not a rate"),
            ("503:after=x", "not a time"),
            ("503:after=1s,until=1s", "give only one of after and until"),
            ("page:match=[a", "a bad pattern"),
            ("page:\u{1b}=1", "no such item: \\u{1b}, at character 6 of page:\\u{1b}=1"),
        ] {
            let error = text.parse::<Fault>().expect_err(text);
            assert!(error.message().contains(says), "{text}: {}", error.message());
            assert_eq!(error.kind(), raudal_common::Kind::Usage);
            assert!(
                error.hint_text().is_some_and(|hint| hint.contains("slow-head") && hint.contains("p=0.1")),
                "{text}"
            );
        }
    }
}
