//! Reads any lines as the headers of a response to a range. Only a part that is exactly the missing
//! rest may be accepted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use raudal::fetch::{file_name, fuzzing, parse_retry_after};
use std::time::{Duration, SystemTime};

fuzz_target!(|input: (u64, Option<u64>, u16, &str, &str)| {
    let (received, total, status, first, answer) = input;
    for now in [SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + Duration::from_secs(1_615_896_000)] {
        let _ = parse_retry_after(answer, now);
    }
    let _ = file_name(answer);
    fuzzing::whole(status, answer);
    fuzzing::digests(answer);
    if let Some((part, whole)) = fuzzing::rest(received, total, status, first, answer) {
        assert!(part > 0 && received.checked_add(part).is_some_and(|end| end <= whole));
        assert!(status == 206 && total.is_none_or(|total| total == whole));
    }
});
