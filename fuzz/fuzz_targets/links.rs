//! Reads any bytes as a page. Its links lead to files on the web, each once, and within the host
//! unless others are asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use raudal::source::{Links, Location};
use std::collections::HashSet;

fuzz_target!(|page: &[u8]| {
    let Ok(Location::Url(at)) = Location::parse("http://h/d/") else { return };
    for any_host in [false, true] {
        let found = Links::new("**").expect("a glob").any_host(any_host).on(page, &at);
        let mut seen = HashSet::new();
        for input in &found.inputs {
            let Location::Url(url) = &input.location else { panic!("a file: {input:?}") };
            assert!(url.fragment().is_none() && (any_host || url.host_str() == Some("h")), "{url}");
            assert!(seen.insert(url.clone()), "twice: {url}");
        }
        assert!(!any_host || found.elsewhere.is_empty());
    }
});
