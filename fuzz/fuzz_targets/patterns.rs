//! Reads any text as a source, and as a list of sources. It is refused, or gives as many inputs as
//! it announces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use raudal::Kind;
use raudal::source::{Location, MAX_INPUTS, expand, read_list};

fuzz_target!(|text: &str| {
    // A glob would look through the folders of this machine.
    if !text.contains("://") && text.contains(['*', '?']) {
        return;
    }
    match expand(text) {
        Ok(expansion) => {
            let count = expansion.len();
            assert!((1..=MAX_INPUTS).contains(&count));
            for (index, input) in expansion.take(500).enumerate() {
                assert!((index as u64) < count);
                // The line gives the same input, except for its credentials.
                let line = input.to_line();
                if matches!(input.location, Location::Url(_)) {
                    let list = read_list(line.as_bytes(), "list").expect("its own line");
                    assert_eq!((list.len(), list[0].to_line()), (1, line));
                }
            }
        }
        Err(error) => assert_eq!(error.kind(), Kind::Usage, "{error:?}"),
    }
    if let Ok(list) = read_list(text.as_bytes(), "list") {
        assert!(list.len() <= text.lines().count());
    }
});
