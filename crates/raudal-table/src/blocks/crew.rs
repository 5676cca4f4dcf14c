//! Threads that help to read an input, as long as cores are idle.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;

use super::block::Block;
use crate::plan::RecordPlan;
use crate::records::Shape;
use raudal_common::{Error, Kind, Result};

/// How many threads of this process read inputs now.
static READING: AtomicUsize = AtomicUsize::new(0);

/// A thread that reads an input.
pub(crate) struct Reading(());

impl Reading {
    /// Counts this thread.
    pub(crate) fn begin() -> Self {
        READING.fetch_add(1, Ordering::Relaxed);
        Self(())
    }

    /// Counts one thread more, unless so many read already.
    fn help(most: usize) -> Option<Self> {
        let more = |reading| (reading < most).then_some(reading + 1);
        READING.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self(()))
    }

    /// Whether more threads read than that.
    fn exceed(most: usize) -> bool {
        READING.load(Ordering::Relaxed) > most
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        READING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many threads may read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    /// Beside the one that reads an input.
    pub(super) helpers: usize,
    /// In the process.
    pub(super) reading: usize,
}

/// Blocks that wait for a thread, by number.
#[derive(Default)]
struct Waiting {
    blocks: VecDeque<(usize, Block)>,
    is_closed: bool,
}

/// The blocks in flight, and the threads that read them.
pub(super) struct Crew<'a> {
    waiting: Mutex<Waiting>,
    begun: Condvar,
    helpers: AtomicUsize,
    most: Most,
    shape: &'a Shape,
}

impl<'a> Crew<'a> {
    pub(super) fn new(most: Most, shape: &'a Shape) -> Self {
        let (waiting, begun, helpers) = Default::default();
        Self { waiting, begun, helpers, most, shape }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<(usize, Block)> {
        self.lock().blocks.pop_front()
    }

    /// Reads blocks until there are no more, or other inputs need the core.
    fn help(&self, plan: &mut RecordPlan, read: &Sender<(usize, Option<Block>)>) {
        while !Reading::exceed(self.most.reading) {
            let mut waiting = self.lock();
            let (number, mut block) = loop {
                if let Some(next) = waiting.blocks.pop_front() {
                    break next;
                }
                if waiting.is_closed {
                    return;
                }
                waiting = self.begun.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            };
            drop(waiting);
            let mut lost = Lost { number, read: Some(read) };
            block.parse(self.shape, plan);
            lost.read = None;
            if read.send((number, Some(block))).is_err() {
                return;
            }
        }
    }
}

/// Says that a block is lost, if the thread that reads it panics.
struct Lost<'a> {
    number: usize,
    read: Option<&'a Sender<(usize, Option<Block>)>>,
}

impl Drop for Lost<'_> {
    fn drop(&mut self) {
        if let Some(read) = self.read {
            let _ = read.send((self.number, None));
        }
    }
}

/// Blocks that may wait for the one before them. On a machine with other work, a thread may stand still for
/// milliseconds, in which the others read many blocks.
const FLIGHT: usize = 32;

/// What became of the first block.
pub(super) enum Next {
    First(Block),
    Later,
    /// There is none.
    End,
}

/// The blocks of an input in their order, begun here and read on any thread.
pub(super) struct Line<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    crew: &'scope Crew<'env>,
    plan: RecordPlan,
    /// The number of the first block in flight, and what was read of each.
    first: usize,
    flight: VecDeque<Option<Block>>,
    /// How many of them were not read.
    unread: usize,
    sender: Sender<(usize, Option<Block>)>,
    read: Receiver<(usize, Option<Block>)>,
}

impl<'scope, 'env> Line<'scope, 'env> {
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>, crew: &'scope Crew<'env>, plan: RecordPlan) -> Self {
        let (sender, read) = channel();
        Self { scope, crew, plan, first: 0, flight: VecDeque::new(), unread: 0, sender, read }
    }

    /// Whether another block keeps a thread busy.
    pub(super) fn has_room(&self) -> bool {
        let helpers = self.crew.helpers.load(Ordering::Relaxed);
        let most = if helpers == 0 { 1 } else { 2 + 2 * helpers };
        self.unread < most && self.flight.len() < FLIGHT
    }

    /// Adds a block.
    pub(super) fn put(&mut self, block: Block) {
        let number = self.first + self.flight.len();
        self.flight.push_back(None);
        self.unread += 1;
        self.crew.lock().blocks.push_back((number, block));
        self.crew.begun.notify_one();
    }

    /// Finds a helper, if there may be one more and a core is idle.
    pub(super) fn hire(&self) {
        let crew = self.crew;
        if crew.helpers.load(Ordering::Relaxed) >= crew.most.helpers {
            return;
        }
        let Some(reading) = Reading::help(crew.most.reading) else { return };
        crew.helpers.fetch_add(1, Ordering::Relaxed);
        let (sender, mut plan) = (self.sender.clone(), self.plan.fork());
        let work = move || {
            let _reading = reading;
            crew.help(&mut plan, &sender);
            crew.helpers.fetch_sub(1, Ordering::Relaxed);
        };
        // Without a thread, this one reads all.
        if std::thread::Builder::new().name("raudal-rows".to_owned()).spawn_scoped(self.scope, work).is_err() {
            crew.helpers.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Returns the first block if it was read. Otherwise reads a block, or waits for one.
    pub(super) fn next(&mut self) -> Result<Next> {
        while let Ok(read) = self.read.try_recv() {
            self.keep(read)?;
        }
        match self.flight.front_mut() {
            None => return Ok(Next::End),
            Some(read) => {
                if let Some(block) = read.take() {
                    self.flight.pop_front();
                    self.first += 1;
                    return Ok(Next::First(block));
                }
            }
        }
        if let Some((number, mut block)) = self.crew.take() {
            block.parse(self.crew.shape, &mut self.plan);
            self.keep((number, Some(block)))?;
        } else if let Ok(read) = self.read.recv() {
            self.keep(read)?;
        }
        Ok(Next::Later)
    }

    fn keep(&mut self, (number, block): (usize, Option<Block>)) -> Result<()> {
        let Some(block) = block else {
            return Err(Error::new(Kind::Internal, "a thread that reads rows has panicked"));
        };
        if let Some(place) = self.flight.get_mut(number - self.first) {
            *place = Some(block);
            self.unread -= 1;
        }
        Ok(())
    }

    /// Returns the blocks that are left, read or not.
    pub(super) fn rest(&mut self) -> Result<Vec<Block>> {
        for (number, block) in std::mem::take(&mut self.crew.lock().blocks) {
            self.keep((number, Some(block)))?;
        }
        let mut rest = Vec::new();
        loop {
            match self.next()? {
                Next::First(block) => rest.push(block),
                Next::Later => {}
                Next::End => return Ok(rest),
            }
        }
    }
}

impl Drop for Line<'_, '_> {
    /// Lets the helpers go.
    fn drop(&mut self) {
        let mut waiting = self.crew.lock();
        waiting.is_closed = true;
        waiting.blocks.clear();
        drop(waiting);
        self.crew.begun.notify_all();
    }
}
