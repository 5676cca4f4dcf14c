//! What goes on beside the jobs of a run: further connections for its transfers, and limits that follow what its hosts
//! can take.

use super::at_once::Jobs;
use super::controller::{Controller, FIRST, Sample};
use super::decoders::Decoders;
use super::helpers::Helpers;
use super::hosts::{Host, Hosts};
use super::options::Options;
use crate::fetch::Client;
use crate::pool::{Builder, Completed, Event, Observer, Run, Slots};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

pub(super) struct Steering {
    helpers: Helpers,
    limits: Limits,
}

/// What `auto` is to a run of one's own jobs: all of them go to one host, and the limit for it follows what it can take.
pub(crate) struct OneHost {
    host: String,
    hosts: Arc<Hosts>,
    observer: Arc<dyn Observer>,
}

/// The limits of hosts, each with its reasons.
pub(crate) struct Limits {
    slots: Slots,
    hosts: Arc<Hosts>,
    observer: Arc<dyn Observer>,
    /// Where decoding waits, if the run decodes.
    decoders: Option<Arc<Decoders>>,
    most: usize,
    is_auto: bool,
    controllers: HashMap<Arc<str>, Controller>,
    /// Hosts that were slowed down because of time-outs, and to what.
    lowered: HashMap<Arc<str>, usize>,
}

impl Steering {
    pub(super) fn new<T, E>(
        client: &Client,
        run: &Run<T, E>,
        options: &Options,
        hosts: Arc<Hosts>,
        decoders: Option<Arc<Decoders>>,
    ) -> Self {
        let most = options.per_host.min(options.jobs);
        let helpers = Helpers::new(client, run, Arc::clone(&hosts));
        let mut limits = Limits::new(run.slots(), hosts, Arc::clone(&options.observer), most, options.auto);
        limits.decoders = decoders;
        Self { helpers, limits }
    }

    /// The next result of the run. Meanwhile slots are given out as they come free, and limits are set.
    pub(super) async fn next<T, E>(&mut self, run: &mut Run<T, E>) -> Option<Completed<T, E>> {
        let done = tokio::select! {
            biased;
            done = run.next() => done,
            never = self.limits.work() => match never {},
            never = self.helpers.work() => match never {},
        };
        // Nothing more may have to be waited for, and what went wrong has to be in the summary.
        if done.is_none() {
            self.limits.lower_slow();
        }
        done
    }

    /// What a user should know of it: the hosts that were slowed down.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        self.limits.lowered.iter().map(|(host, limit)| {
            let transfers = if *limit == 1 { "transfer" } else { "transfers" };
            format!("{host}: after repeated time-outs it was asked for at most {limit} {transfers} at a time")
        })
    }
}

impl OneHost {
    pub(crate) fn new(host: impl Into<String>, observer: Arc<dyn Observer>) -> Self {
        let host = host.into();
        let of_all = host.clone();
        Self { host, hosts: Arc::new(Hosts::new(move |_| Some(of_all.clone()))), observer }
    }

    /// A pool with its first limit, which is watched.
    pub(crate) fn pool<I: 'static, E: 'static>(&self, pool: Builder<I, E>) -> Builder<I, E> {
        let host = self.host.clone();
        let hosts = Arc::clone(&self.hosts) as Arc<dyn Observer>;
        pool.jobs(Jobs::AUTO_MOST)
            .per_key(FIRST, move |_| Some(host.clone()))
            .observer(Arc::new(vec![hosts, Arc::clone(&self.observer)]))
    }

    /// What has to be asked for the results of a run of that pool.
    pub(crate) fn limits<T, E>(self, run: &Run<T, E>) -> Limits {
        Limits::new(run.slots(), self.hosts, self.observer, Jobs::AUTO_MOST, true)
    }
}

impl Limits {
    fn new(slots: Slots, hosts: Arc<Hosts>, observer: Arc<dyn Observer>, most: usize, is_auto: bool) -> Self {
        let (controllers, lowered) = (HashMap::new(), HashMap::new());
        Self { slots, hosts, observer, decoders: None, most, is_auto, controllers, lowered }
    }

    /// The next result of the run. Meanwhile limits are set.
    pub(crate) async fn next<T, E>(&mut self, run: &mut Run<T, E>) -> Option<Completed<T, E>> {
        tokio::select! {
            biased;
            done = run.next() => done,
            never = self.work() => match never {},
        }
    }

    /// Looks at what changes, for ever. Dropping the future loses nothing.
    async fn work(&mut self) -> Infallible {
        loop {
            let again = self.look(Instant::now());
            tokio::select! {
                () = self.hosts.changed() => {}
                () = sleep(again.unwrap_or_default()), if again.is_some() => {}
            }
        }
    }

    /// Looks at all hosts; when to look again even if nothing changes.
    fn look(&mut self, now: Instant) -> Option<Duration> {
        let hosts = self.lower_slow();
        if !self.is_auto {
            return None;
        }
        hosts.iter().map(|(key, host)| self.control(key, host, now)).min()
    }

    /// Lowers the limits of those hosts that need it, and gives all.
    fn lower_slow(&mut self) -> Vec<(Arc<str>, Host)> {
        let hosts = self.hosts.all();
        for (key, host) in hosts.iter().filter(|(_, host)| host.is_slow) {
            self.lower(key, host);
        }
        hosts
    }

    fn control(&mut self, key: &Arc<str>, host: &Host, now: Instant) -> Duration {
        let behind = self.decoders.as_ref().is_some_and(|decoders| decoders.are_busy());
        let sample = Sample {
            at: now,
            bytes: host.bytes,
            in_flight: host.in_flight + host.helpers,
            trouble: host.trouble,
            may_grow: !behind && (host.is_wanted || self.slots.spare(None) == 0),
        };
        let (most, observer) = (self.most, &self.observer);
        let controller = self.controllers.entry(Arc::clone(key)).or_insert_with(|| {
            let controller = Controller::new(most, now);
            observer.observe(&Event::LimitChanged { key, limit: controller.limit(), why: "to begin with" });
            controller
        });
        let why = controller.look(&sample);
        let (limit, again) = (controller.limit(), controller.next_look());
        if let Some(why) = why {
            self.set(key, limit, why);
        }
        again
    }

    fn lower(&mut self, key: &Arc<str>, host: &Host) {
        self.hosts.forgive(key);
        let controller = self.controllers.get_mut(key);
        // One that was not looked at yet has the limit that it began with.
        let begun = if self.is_auto { FIRST.min(self.most) } else { self.most };
        let now = controller.as_ref().map_or(begun, |controller| controller.limit());
        let limit = self.lowered.get(key).map_or(now, |lowered| now.min(*lowered));
        if limit > 1 {
            self.lowered.insert(Arc::clone(key), limit / 2);
            if let Some(controller) = controller {
                controller.lower(limit / 2, host.trouble);
            }
            self.set(key, limit / 2, "repeated time-outs");
        }
    }

    fn set(&self, key: &str, limit: usize, why: &str) {
        self.slots.set_limit(key, limit);
        self.observer.observe(&Event::LimitChanged { key, limit, why });
    }
}
