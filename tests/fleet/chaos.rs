//! A run during which everything dies, again and again, by a seed: no row is wrong, none is lost.
//!
//! `RAUDAL_CHAOS=100 cargo test --features fleet --test fleet chaos -- --nocapture` makes a hundred
//! runs. Without the variable it makes two.

use super::harness::{Fleet, Running};
use rustix::process::Signal;
use std::time::Duration;

const INPUTS: usize = 150;
const WORKERS: usize = 3;

#[test]
fn whatever_dies_no_row_is_wrong_and_none_is_lost() {
    let runs = std::env::var("RAUDAL_CHAOS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(2);
    let first: u64 = std::env::var("RAUDAL_CHAOS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    for seed in first..first + runs {
        let Some(done) = chaos(seed) else { return };
        eprintln!("seed {seed}: {done}");
    }
}

/// What was done to a run.
#[derive(Default)]
struct Done {
    workers: usize,
    freezes: usize,
    brokers: usize,
    submitters: usize,
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { workers, freezes, brokers, submitters } = self;
        write!(
            f,
            "{workers} workers killed, {freezes} frozen past their lease, {brokers} brokers killed, \
             {submitters} submitters killed"
        )
    }
}

fn chaos(seed: u64) -> Option<Done> {
    let mut fleet = Fleet::start()?;
    let mut random = fastrand::Rng::with_seed(seed);
    let origin = fleet.spawn(["serve", "--scale", "0.05", "--latency", "60ms"]);
    origin.wait_for("Ctrl-C stops");
    let url = origin.said().lines().next().expect("a URL").to_owned();
    let source = format!("{url}tiny_[1-{INPUTS}].zip");
    assert_eq!(fleet.alone("alone.csv", &[&source]), Some(0));

    let start = |fleet: &Fleet, n: usize| fleet.worker(&format!("w{n}"), &["-j", "2"]);
    let mut workers: Vec<Running> = (0..WORKERS).map(|n| start(&fleet, n)).collect();
    let arguments = [source.as_str(), "--chunk", "3", "--per-host", "4", "--deliveries", "50"];
    let mut submitter = fleet.submit("fleet.csv", &arguments);
    let mut done = Done::default();
    for _ in 0..8 {
        std::thread::park_timeout(Duration::from_millis(random.u64(50..500)));
        if submitter.has_ended() {
            break;
        }
        let which = random.usize(..WORKERS);
        match random.u8(..4) {
            0 => {
                workers.swap_remove(which).kill();
                workers.push(start(&fleet, which));
                done.workers += 1;
            }
            1 => {
                workers[which].signal(Signal::STOP);
                std::thread::park_timeout(Duration::from_millis(random.u64(1_100..1_600)));
                workers[which].signal(Signal::CONT);
                done.freezes += 1;
            }
            2 => {
                fleet.kill_broker();
                fleet.start_broker();
                done.brokers += 1;
            }
            _ => {
                submitter.kill();
                submitter = fleet.submit("fleet.csv", &arguments);
                done.submitters += 1;
            }
        }
    }
    let (code, said) = submitter.end();
    // A submitter that was killed may have published already: its table is there.
    assert!(code == Some(0) || said.contains("is there already"), "seed {seed}: {code:?}: {said}");
    assert_eq!(fleet.read("fleet.csv"), fleet.read("alone.csv"), "seed {seed}: {done}");
    Some(done)
}
