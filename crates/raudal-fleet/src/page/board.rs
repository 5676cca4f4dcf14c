//! What is known of all runs, for the page.

use super::super::broker::Broker;
use super::super::events::{Events, Next};
use super::super::protocol::{Event, RunRecord, WorkerStatus, Written, live_subject};
use super::super::runs::{self, WorkerInfo};
use futures::StreamExt;
use raudal_common::{lock, units};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often the runs and the workers are listed.
const LIST: Duration = Duration::from_secs(1);
/// Chunks in the timeline of a run. Some 40 bytes each.
const SPANS: usize = 100_000;
/// Messages of a run that are kept.
const MESSAGES: usize = 200;
/// How long a worker that says nothing is shown.
const GONE: Duration = Duration::from_secs(6);

/// All runs that are there.
#[derive(Default)]
pub(super) struct Board {
    runs: Mutex<BTreeMap<String, Arc<Mutex<RunView>>>>,
    workers: Mutex<Vec<WorkerInfo>>,
}

/// What is known of a run.
#[derive(Default)]
struct RunView {
    record: Option<RunRecord>,
    done: HashSet<u32>,
    inputs: u64,
    failed: u64,
    rows: u64,
    /// The workers of the spans, by their number.
    names: Vec<String>,
    numbers: HashMap<String, usize>,
    /// Worker, start, end (milliseconds by the broker's clock), inputs, failures.
    spans: Vec<(usize, i64, i64, u64, u64)>,
    messages: VecDeque<String>,
    workers: BTreeMap<String, (WorkerStatus, Instant)>,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    brief: Brief,
    names: &'a [String],
    spans: &'a [(usize, i64, i64, u64, u64)],
    next: usize,
    /// Whether the timeline has no room for more.
    full: bool,
    messages: &'a VecDeque<String>,
    workers: Vec<&'a WorkerStatus>,
}

#[derive(Serialize)]
struct Brief {
    run: String,
    state: String,
    from: String,
    all_inputs: u64,
    chunks: u32,
    done: usize,
    inputs: u64,
    failed: u64,
    rows: u64,
}

impl Board {
    /// Follows all runs until it is told to stop.
    pub(super) async fn follow(self: Arc<Self>, broker: Broker, tasks: TaskTracker, stop: CancellationToken) {
        let mut following: HashMap<String, CancellationToken> = HashMap::new();
        let mut clock = tokio::time::interval(LIST);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = clock.tick() => {}
            }
            // A broker that is gone for a while changes nothing.
            if let Ok(workers) = runs::workers(&broker).await {
                *lock(&self.workers) = workers;
            }
            let Ok(records) = runs::records(&broker).await else { continue };
            let there: HashSet<String> = records.iter().map(|record| record.run.clone()).collect();
            following.retain(|run, ends| {
                let stays = there.contains(run);
                if !stays {
                    ends.cancel();
                }
                stays
            });
            lock(&self.runs).retain(|run, _| there.contains(run));
            for record in records {
                let run = record.run.clone();
                let view = Arc::clone(lock(&self.runs).entry(run.clone()).or_default());
                lock(&view).record = Some(record);
                following.entry(run.clone()).or_insert_with(|| {
                    let (ends, broker) = (stop.child_token(), broker.clone());
                    let ended = ends.clone();
                    let following = Box::pin(follow(broker, run, view));
                    tasks.spawn(async move { ended.run_until_cancelled(following).await });
                    ends
                });
            }
        }
    }

    /// All runs and all workers, as JSON.
    pub(super) fn runs(&self) -> String {
        let views: Vec<_> = lock(&self.runs).values().cloned().collect();
        let briefs: Vec<Brief> = views.iter().filter_map(|view| lock(view).brief()).collect();
        let all = serde_json::json!({ "runs": briefs, "workers": &*lock(&self.workers) });
        all.to_string()
    }

    /// A run as JSON, with the spans from this one on.
    pub(super) fn run(&self, run: &str, from: usize) -> Option<String> {
        let view = lock(&self.runs).get(run).cloned()?;
        let mut view = lock(&view);
        view.workers.retain(|_, (_, at)| at.elapsed() < GONE);
        let shown = Shown {
            brief: view.brief()?,
            names: &view.names,
            spans: view.spans.get(from..).unwrap_or_default(),
            next: view.spans.len(),
            full: view.spans.len() >= SPANS,
            messages: &view.messages,
            workers: view.workers.values().map(|(status, _)| status).collect(),
        };
        serde_json::to_string(&shown).ok()
    }
}

/// Follows one run.
async fn follow(broker: Broker, run: String, view: Arc<Mutex<RunView>>) {
    let mut events = Events::new(&broker, &run);
    let live = broker.js.client().subscribe(live_subject(&run)).await.ok();
    let mut live = futures::stream::iter(live).flatten();
    loop {
        tokio::select! {
            next = events.next() => lock(&view).take(next, events.at_ms()),
            Some(status) = live.next() => {
                if let Ok(status) = serde_json::from_slice::<WorkerStatus>(&status.payload) {
                    lock(&view).workers.insert(status.worker.clone(), (status, Instant::now()));
                }
            }
        }
    }
}

impl RunView {
    fn brief(&self) -> Option<Brief> {
        let record = self.record.as_ref()?;
        let is_done = self.done.len() >= record.chunks as usize;
        Some(Brief {
            run: record.run.clone(),
            state: if is_done { "done".to_owned() } else { format!("{:?}", record.state).to_lowercase() },
            from: record.from.clone(),
            all_inputs: record.inputs,
            chunks: record.chunks,
            done: self.done.len(),
            inputs: self.inputs,
            failed: self.failed,
            rows: self.rows,
        })
    }

    fn take(&mut self, next: Next, at_ms: i64) {
        match next {
            Next::Event(Event::Part(written)) => self.part(written, at_ms),
            Next::Event(Event::Redo { chunk }) => {
                self.done.remove(&chunk);
                self.say(format!("chunk {chunk} is done again"));
            }
            Next::Event(Event::Refused { worker, reason }) => self.say(format!("{worker}: {reason}")),
            Next::Event(Event::Aside { subject, worker, reason }) => {
                self.say(format!("{worker} set a message aside: {subject}: {reason}"));
            }
            Next::Event(Event::Paused { host, ms, .. }) => {
                self.say(format!("{host} asked for a pause of {}", units::duration(Duration::from_millis(ms))));
            }
            Next::Unreadable(reason) => self.say(format!("an event that cannot be read was left out: {reason}")),
            Next::Gone => {}
        }
    }

    fn part(&mut self, written: Written, at_ms: i64) {
        self.done.insert(written.chunk);
        self.inputs += written.inputs;
        self.failed += written.failed;
        self.rows += written.rows;
        for error in written.errors {
            self.say(format!("failed: {}", error.into_error().report()));
        }
        // A part that was there already took nobody any time.
        if written.inputs == 0 || self.spans.len() >= SPANS {
            return;
        }
        let number = self.numbers.get(&written.worker).copied().unwrap_or_else(|| {
            self.names.push(written.worker.clone());
            self.numbers.insert(written.worker.clone(), self.names.len() - 1);
            self.names.len() - 1
        });
        let start = at_ms.saturating_sub(i64::try_from(written.ms).unwrap_or(i64::MAX));
        self.spans.push((number, start, at_ms, written.inputs, written.failed));
    }

    fn say(&mut self, text: String) {
        if self.messages.len() >= MESSAGES {
            self.messages.pop_front();
        }
        self.messages.push_back(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_is_handed_out_from_any_place_and_what_is_kept_has_a_limit() {
        let board = Board::default();
        let mut view = RunView { record: Some(RunRecord::sample()), ..RunView::default() };
        for chunk in 0..300 {
            let worker = format!("w{}", chunk % 2);
            let written = Written { chunk, worker, inputs: 2, failed: 1, rows: 5, ms: 10, ..Written::default() };
            view.take(Next::Event(Event::Part(written)), 1_000 + i64::from(chunk));
            view.take(Next::Event(Event::Redo { chunk }), 0);
        }
        view.take(Next::Event(Event::Part(Written::default())), 0);
        lock(&board.runs).insert("r".to_owned(), Arc::new(Mutex::new(view)));
        let run: serde_json::Value = serde_json::from_str(&board.run("r", 298).expect("a run")).expect("JSON");
        assert_eq!(run["spans"], serde_json::json!([[0, 1288, 1298, 2, 1], [1, 1289, 1299, 2, 1]]));
        assert_eq!((run["next"].as_u64(), run["inputs"].as_u64()), (Some(300), Some(600)));
        assert_eq!(run["names"], serde_json::json!(["w0", "w1"]));
        assert_eq!(run["messages"].as_array().map(Vec::len), Some(MESSAGES));
        assert_eq!(board.run("r", 9_999).map(|run| run.contains("\"spans\":[]")), Some(true));
        assert_eq!(board.run("other", 0), None);
        assert!(board.runs().contains("\"run\":\"sample\""));
    }
}
