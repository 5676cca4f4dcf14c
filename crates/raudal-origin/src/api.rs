//! A small API, for runs over many small calls. `/api/<number>` returns a few figures as JSON.
//! `?latency=50ms` makes the server wait this long before it responds.

use super::synth;
use hyper::{StatusCode, Uri};
use raudal_catalogue::iter_2020;
use raudal_common::units::parse_duration;
use std::time::Duration;

/// The longest wait that a request may ask for; a client that asks for more has mistaken the unit.
const LONGEST: Duration = Duration::from_secs(3600);

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) number: u64,
    /// How long the server waits, in addition to the latency of the link; `None` if the value is
    /// not a valid time.
    pub(super) think: Option<Duration>,
}

impl Call {
    /// Returns the call that a URL stands for, if it is one. Folders before it do not matter, as
    /// with archives.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let (folder, number) = uri.path().rsplit_once('/')?;
        let number = number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok())??;
        let asked = || uri.query()?.split('&').find_map(|part| part.strip_prefix("latency="));
        let think = asked().map_or(Some(Duration::ZERO), |text| parse_duration(text).ok().filter(|t| *t <= LONGEST));
        (folder == "/api" || folder.ends_with("/api")).then_some(Self { number, think })
    }

    /// Returns the status and the body.
    pub(super) fn respond(self, seed: u64) -> (StatusCode, String) {
        if self.think.is_none() {
            let refused = serde_json::json!({ "error": "latency is not a time of at most 1h, such as 50ms" });
            return (StatusCode::BAD_REQUEST, format!("{refused}\n"));
        }
        let entities = iter_2020::catalogue().entries();
        let entity = &entities[(self.number % entities.len() as u64) as usize];
        let figure = synth::figure(self.number, seed);
        let body = serde_json::json!({
            "id": self.number, "entity": entity.code, "name": entity.name, "figure": figure, "synthetic": true,
        });
        (StatusCode::OK, format!("{body}\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(uri: &str) -> Option<Call> {
        Call::of(&uri.parse().expect("an address"))
    }

    #[test]
    fn an_address_is_a_number_and_perhaps_a_latency() {
        let think = |ms| Some(Duration::from_millis(ms));
        assert_eq!(call("/api/7"), Some(Call { number: 7, think: think(0) }));
        assert_eq!(call("/x/api/007?a=b&latency=50ms"), Some(Call { number: 7, think: think(50) }));
        for latency in ["soon", "-1s", "2h", ""] {
            let call = call(&format!("/api/7?latency={latency}"));
            assert_eq!(call, Some(Call { number: 7, think: None }), "{latency}");
        }
        for uri in ["/", "/api/", "/api/+7", "/api/x", "/7", "/xapi/7", "/api/99999999999999999999", "/api/7/"] {
            assert_eq!(call(uri), None, "{uri}");
        }
    }

    #[test]
    fn the_same_call_has_the_same_answer_and_another_number_another_one() {
        let body = |number| Call { number, think: Some(Duration::ZERO) }.respond(1).1;
        assert_eq!(body(40), body(40));
        assert_ne!(body(40), body(41));
        let value: serde_json::Value = serde_json::from_str(&body(40)).expect("JSON");
        assert_eq!((&value["id"], &value["entity"]), (&40.into(), &"09".into()));
        assert_eq!(Call { number: 1, think: None }.respond(1).0, StatusCode::BAD_REQUEST);
    }
}
