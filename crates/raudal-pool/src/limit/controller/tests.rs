//! Runs the controller against simulated servers.

use super::*;

/// A simulated server: its latency, its throughput, and the number of jobs above which it refuses.
struct Link {
    latency: Duration,
    each: f64,
    all: f64,
    refuses_above: usize,
}

const FREE: Link = Link { latency: Duration::from_millis(80), each: 1e6, all: 1e9, refuses_above: usize::MAX };

/// Returns the limit after each check, over `time`.
fn run(link: &Link, most: usize, time: Duration) -> Vec<usize> {
    run_known(link, most, None, time)
}

fn run_known(link: &Link, most: usize, known: Option<Learned>, time: Duration) -> Vec<usize> {
    let start = Instant::now();
    let mut controller = Controller::new(most, known, start);
    let (mut at, mut progress, mut trouble, mut limits) = (start, 0.0, 0, Vec::new());
    // The attempts that have begun, and when they are answered.
    let (mut begun, mut waiting, mut answers) = (0, Vec::new(), 0);
    while at - start < time {
        let step = controller.next_look();
        let taken = controller.limit().min(link.refuses_above);
        trouble += (controller.limit() - taken) as u64;
        waiting.extend(std::iter::repeat_n(at + link.latency, taken.saturating_sub(begun)));
        begun = begun.max(taken);
        at += step;
        answers += waiting.extract_if(.., |answered| *answered <= at).count();
        progress += (link.each * taken.min(answers) as f64).min(link.all) * step.as_secs_f64();
        let in_flight = controller.limit();
        let (progress, answers) = (progress as u64, answers as u64);
        controller.look(&LoadSample { at, progress, answers, in_flight, trouble, may_grow: true });
        limits.push(controller.limit());
    }
    limits
}

impl Controller {
    /// Tells it of refusals.
    fn press(&mut self, at: Instant, trouble: u64) {
        self.look(&LoadSample { at, progress: 0, answers: 0, in_flight: 6, trouble, may_grow: true });
    }
}

fn last(link: &Link) -> usize {
    *run(link, 64, Duration::from_secs(20)).last().expect("looks")
}

#[test]
fn the_limit_doubles_with_each_round_of_answers_and_not_before_one() {
    for latency in [80, 300, 2000].map(Duration::from_millis) {
        let link = Link { latency, ..FREE };
        let limits = run(&link, 64, latency * 8);
        let rounds: Vec<usize> = limits.chunk_by(|one, other| one == other).map(|same| same[0]).collect();
        assert_eq!(rounds, [6, 12, 24, 48, 64], "{latency:?}");
        let looks = |limit| limits.iter().filter(|other| **other == limit).count() as u32 * START_LOOK;
        for limit in [6, 12, 24, 48] {
            assert!((latency.as_secs_f64() * 0.8..latency.as_secs_f64() * 1.5).contains(&looks(limit).as_secs_f64()));
        }
    }
    // A server that answers nothing is not asked for more.
    let silent = Link { latency: Duration::from_secs(99), ..FREE };
    assert!(run(&silent, 64, Duration::from_secs(30)).iter().all(|limit| *limit == FIRST));
}

#[test]
fn what_an_earlier_run_has_learned_is_where_the_next_one_begins() {
    let known = |bore, refused| Some(Learned::new(bore, refused));
    let second = Duration::from_secs(1);
    assert_eq!(run_known(&FREE, 64, known(40, None), second)[0], 40);
    assert_eq!(run_known(&FREE, 16, known(40, None), second)[0], 16, "within its most");
    let limits = run_known(&FREE, 64, known(40, Some(9)), Duration::from_secs(20));
    assert!(limits.iter().all(|limit| *limit == 8), "below what was refused");
    // It may be wrong by now.
    let link = Link { refuses_above: 6, ..FREE };
    assert_eq!(run_known(&link, 64, known(40, None), Duration::from_secs(60)).last(), Some(&6));
    let mut controller = Controller::new(64, None, Instant::now());
    assert_eq!(controller.learned(), None, "nothing was found out");
    controller.press(Instant::now(), 3);
    assert_eq!(controller.learned(), known(3, Some(6)));
    let mut slow = Controller::new(64, None, Instant::now());
    slow.lower(2, 3);
    assert_eq!(slow.learned(), known(2, None), "time-outs count too");
}

#[test]
fn a_cap_for_each_connection_is_overcome_and_a_shared_one_is_not_fought() {
    let near = Duration::from_millis(1);
    assert_eq!(last(&Link { latency: near, each: 1e6, ..FREE }), 64);
    // 12 use all of it: 24 would bring nothing.
    let shared = run(&Link { latency: near, each: 1e6, all: 12e6, ..FREE }, 64, Duration::from_secs(20));
    let at_twelve = shared.iter().filter(|limit| **limit == 12).count();
    assert!(at_twelve * 10 > shared.len() * 7, "{at_twelve} of {}", shared.len());
    assert!(shared.iter().max() <= Some(&24));
}

#[test]
fn what_a_server_refuses_is_not_asked_of_it_again() {
    for latency in [1, 80] {
        let link = Link { latency: Duration::from_millis(latency), each: 1e6, refuses_above: 6, ..FREE };
        let limits = run(&link, 64, Duration::from_secs(60));
        assert_eq!(limits.last(), Some(&6), "{latency} ms");
        let too_many = limits.iter().filter(|limit| **limit > 6).count();
        assert!(too_many * 20 < limits.len(), "{too_many} of {}", limits.len());
    }
}

#[test]
fn it_never_grows_past_its_most_nor_while_something_speaks_against_it() {
    assert!(run(&FREE, 3, Duration::from_secs(5)).iter().all(|limit| *limit == 3));
    let start = Instant::now();
    let mut controller = Controller::new(64, None, start);
    for look in 1..100 {
        let at = start + look * LOOK;
        let sample = LoadSample { at, progress: 0, answers: 0, in_flight: 6, trouble: 0, may_grow: false };
        assert_eq!(controller.look(&sample), None);
    }
    assert_eq!(controller.limit(), FIRST);
    controller.press(start + 101 * LOOK, 9);
    assert_eq!(controller.limit(), 1, "one is always allowed");
}
