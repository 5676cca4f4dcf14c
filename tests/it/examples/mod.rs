//! Every example runs and shows what its lesson promises. The numbers are those of the lessons in
//! `examples/README.md`. Nothing here looks at a clock. Tests check the order where it is promised,
//! a set where it is not, and a count where a limit is promised.

mod hazards;
mod machine;
mod pools;
mod processes;
mod programs;
mod tasks;

use crate::harness::{run, run_with};
use std::path::Path;

#[test]
fn a_lesson_on_virtual_time_says_so_in_one_line_and_a_slow_one_does_not() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut lessons = 0;
    for file in folder.read_dir().expect("the lessons") {
        let path = file.expect("a file").path();
        let Some(text) = std::fs::read_to_string(&path).ok().filter(|_| path.extension().is_some()) else { continue };
        if path.ends_with("README.md") || !(text.contains("virtual_time();") || text.contains("start_paused")) {
            continue;
        }
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let said = run(name);
        assert_eq!(said.err.matches("virtual time").count(), 1, "{name}: {}", said.err);
        lessons += 1;
    }
    assert!(lessons >= 15, "{lessons}");
    assert!(!run_with("task", &["--slow"]).err.contains("virtual time"));
}
