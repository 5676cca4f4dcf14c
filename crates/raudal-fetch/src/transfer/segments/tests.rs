use super::*;
use crate::http::range::Validator;
use reqwest::header::HeaderValue;
use url::Url;

const SETUP: Duration = Duration::from_millis(50);
const MIB: u64 = 1 << 20;

fn source(host: &str) -> Arc<BodySource> {
    let url = Url::parse(&format!("http://{host}/a.zip")).expect("a URL");
    let validator = Validator::Tag(HeaderValue::from_static("\"a\""));
    Arc::new(BodySource { asked: url.clone(), here: url, validator, total: 100 * MIB })
}

fn piece(transfers: &Transfers, host: &str, end: u64) -> PieceHandle {
    transfers.enter(source(host), (0, end), SETUP, Arc::default(), ASKS)
}

/// Records a first byte at `start`, and this many more a second later.
fn run(entry: &PieceHandle, start: Instant, bytes: u64) {
    entry.take(1, start);
    entry.take(bytes as usize, start + Duration::from_secs(1));
}

fn cut(transfers: &Transfers, now: Instant) -> Option<Cut> {
    match transfers.cut(now, |_| 1, |_| Some(())) {
        CutSearch::Cut(cut, ()) => Some(cut),
        _ => None,
    }
}

#[test]
fn the_piece_with_the_longest_way_to_go_is_cut_so_that_all_end_together() {
    let (transfers, start) = (Transfers::default(), Instant::now());
    let (fast, slow) = (piece(&transfers, "a", 9 * MIB), piece(&transfers, "a", 5 * MIB));
    run(&fast, start, 4 * MIB);
    run(&slow, start, MIB);
    let cut = cut(&transfers, start + Duration::from_secs(1)).expect("a piece worth it");
    // 4 MiB are left at 1 MiB/s, the fast one finishes after 1.25 s, and a response takes 50 ms. So all
    // can finish at t, where 4 - t = (t - 0.05) + (t - 1.30).
    let end = 5.35 / 3.0;
    let wanted = 5 * MIB - ((end - 0.05) * MIB as f64) as u64;
    assert!(cut.wanted.first.abs_diff(wanted) < MIB / 500 && cut.wanted.end == 5 * MIB, "{cut:?}");
    assert_eq!(slow.take(8 * MIB as usize, start), (cut.wanted.first - MIB - 1) as usize, "no byte beyond the cut");
    assert!(slow.is_cut_here() && slow.next_tail().is_some() && slow.next_tail().is_none());
    assert!(!fast.is_cut_here());
    assert_eq!(transfers.cuts(), 1);
}

#[test]
fn nothing_is_cut_that_is_over_soon_or_whose_speed_is_not_known() {
    let (transfers, start) = (Transfers::default(), Instant::now());
    let entry = piece(&transfers, "a", 2 * MIB);
    assert!(matches!(transfers.cut(start, |_| 1, |_| Some(())), CutSearch::Later(_)), "no byte has come");
    run(&entry, start, MIB * 9 / 5);
    assert!(
        matches!(transfers.cut(start + Duration::from_secs(1), |_| 1, |_| Some(())), CutSearch::Later(_)),
        "0.11 s"
    );
    drop(entry);
    assert!(matches!(transfers.cut(start, |_| 1, |_| Some(())), CutSearch::Nothing));
    let _small = piece(&transfers, "a", TINY);
    assert!(matches!(transfers.cut(start, |_| 1, |_| Some(())), CutSearch::Nothing));
}

#[test]
fn a_server_without_a_slot_or_that_refused_is_left_alone() {
    let (transfers, start) = (Transfers::default(), Instant::now());
    let (one, other) = (piece(&transfers, "a", 9 * MIB), piece(&transfers, "b", 5 * MIB));
    run(&one, start, MIB);
    run(&other, start, MIB);
    let now = start + Duration::from_secs(1);
    let CutSearch::Cut(cut, ()) =
        transfers.cut(now, |_| 1, |key| key.is_some_and(|key| key.contains('b')).then_some(()))
    else {
        panic!("b has a slot");
    };
    assert_eq!(cut.wanted.source.here.host_str(), Some("b"));
    transfers.refuse(&cut.wanted.source);
    assert!(cut.undo());
    let CutSearch::Cut(cut, ()) = transfers.cut(now, |_| 1, |_| Some(())) else { panic!("a is there") };
    assert_eq!(cut.wanted.source.here.host_str(), Some("a"));
    transfers.refuse(&cut.wanted.source);
    assert!(matches!(transfers.cut(now, |_| 1, |_| Some(())), CutSearch::Nothing));
}

#[test]
fn a_cut_is_undone_only_while_the_piece_can_go_on() {
    let (transfers, start) = (Transfers::default(), Instant::now());
    let entry = piece(&transfers, "a", 9 * MIB);
    run(&entry, start, MIB);
    let now = start + Duration::from_secs(1);
    let (first, second) = (cut(&transfers, now).expect("a cut"), cut(&transfers, now).expect("another"));
    assert_eq!(second.wanted.end, first.wanted.first);
    assert!(!first.undo(), "another piece lies between");
    assert!(second.undo() && first.undo());
    assert_eq!(entry.take(9 * MIB as usize, now), 9 * MIB as usize, "as if nothing had been");
    let entry = piece(&transfers, "a", 9 * MIB);
    run(&entry, start, MIB);
    let late = cut(&transfers, now).expect("a cut");
    entry.take(9 * MIB as usize, now);
    assert!(entry.is_cut_here() && !late.undo());
}

#[test]
fn a_piece_that_stands_still_is_asked_for_once_more_and_gives_way_only_if_it_still_does() {
    let (transfers, start) = (Transfers::default(), Instant::now());
    let entry = piece(&transfers, "a", MIB);
    run(&entry, start, MIB - 1001);
    let last = start + Duration::from_secs(1);
    assert!(cut(&transfers, last + Duration::from_secs(9)).is_none(), "it has bytes to take in: nothing is waited for");
    entry.wait(last);
    assert!(cut(&transfers, last + Duration::from_millis(250)).is_none());
    let late = last + Duration::from_millis(251);
    let mut again = cut(&transfers, late).expect("it has stood still for long");
    assert_eq!((again.wanted.first, again.wanted.end), (MIB - 1000, MIB));
    assert!(cut(&transfers, late + Duration::from_secs(9)).is_none(), "once is enough");

    // It continues, and stalls again further on.
    assert_eq!(entry.take(400, late), 400);
    assert!(!again.begin() && again.undo() && !entry.is_cut_here());
    entry.wait(late);
    let mut again = cut(&transfers, late + Duration::from_secs(1)).expect("it stands still again");
    assert!(again.begin() && again.begin() && !again.undo());
    assert!(entry.is_cut_here() && entry.take(600, late) == 0, "the rest is brought by others");
    assert!(entry.next_tail().is_some() && entry.next_tail().is_none());
}

#[test]
fn a_piece_whose_end_was_cut_off_meanwhile_does_not_give_way() {
    let (transfers, start) = (Transfers::default(), Instant::now());
    let entry = piece(&transfers, "a", 9 * MIB);
    run(&entry, start, MIB);
    let mut again = entry.0.ask_again().expect("it is under way");
    let end = cut(&transfers, start + Duration::from_secs(1)).expect("a long way to go");
    assert!(!again.begin());
    assert_eq!(entry.take(9 * MIB as usize, start), (end.wanted.first - MIB - 1) as usize);
}

#[test]
fn a_server_that_drips_is_not_asked_for_ever() {
    let (transfers, start) = (Transfers::default(), Instant::now());
    let entry = piece(&transfers, "a", MIB);
    run(&entry, start, MIB - 1001);
    let mut now = start + Duration::from_secs(1);
    let mut asked = 0;
    for _ in 0..100 {
        entry.wait(now);
        now += Duration::from_secs(1);
        asked += u32::from(cut(&transfers, now).is_some());
        entry.take(1, now);
    }
    assert_eq!(asked, u32::from(ASKS));

    // A repeated request may be repeated fewer times, even if no byte of it arrives.
    let entry = piece(&transfers, "b", MIB);
    entry.wait(now);
    now += Duration::from_secs(1);
    let again = cut(&transfers, now).expect("it stands still");
    assert_eq!(again.wanted.asks, ASKS - 1);
    let last = transfers.enter(source("c"), (0, 10), SETUP, Arc::default(), 1);
    last.wait(now);
    now += Duration::from_secs(1);
    assert_eq!(cut(&transfers, now).expect("however short it is").wanted.asks, 0);
}

#[test]
fn while_inputs_wait_only_a_longer_silence_is_asked_for_again_and_nothing_is_split() {
    let (transfers, start) = (Transfers::default(), Instant::now());
    let (long, still) = (piece(&transfers, "a", 9 * MIB), piece(&transfers, "a", MIB));
    run(&long, start, MIB);
    run(&still, start, MIB - 1001);
    let last = start + Duration::from_secs(1);
    still.wait(last);
    let mut asked = 0;
    let mut ask = |millis, has_slot: bool| {
        let now = last + Duration::from_millis(millis);
        match transfers.ask_again(now, |_| {
            asked += 1;
            has_slot.then_some(())
        }) {
            CutSearch::Cut(cut, ()) => Some((cut.wanted.first, cut.wanted.end)),
            CutSearch::Later(_) => None,
            CutSearch::Nothing => panic!("pieces are in flight"),
        }
    };
    assert_eq!(ask(1000, true), None, "a server may pause for a moment");
    assert_eq!(ask(1001, false), None);
    assert_eq!(ask(1001, true), Some((MIB - 1000, MIB)));
    assert_eq!(ask(9000, true), None, "once is enough");
    assert_eq!(asked, 2);
    drop((long, still));
    assert!(matches!(transfers.ask_again(last, |_| Some(())), CutSearch::Nothing));
}
