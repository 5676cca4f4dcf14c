//! Writes to a stream from a thread of its own. A reader that stops reading blocks this thread,
//! never a run.

use raudal_common::lock;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The most bytes that wait for a slow reader. What would exceed them is left out, counted and
/// reported.
const MOST: usize = 16 << 20;

/// Returns the line that says how many lines were left out.
pub(super) type Lost = fn(lines: u64) -> String;

/// A stream for whole lines.
pub(super) enum Stream {
    /// Written by the thread that has the text. A terminal with bars needs this order.
    Direct(Box<dyn Write + Send>),
    /// Written by a thread.
    Relayed(Arc<Relay>),
}

impl Stream {
    pub(super) fn relayed(writer: Box<dyn Write + Send>, lost: Lost) -> Self {
        Self::Relayed(Arc::new(Relay {
            writer: Mutex::new(writer),
            queue: Mutex::default(),
            changed: Condvar::new(),
            lost,
        }))
    }

    /// Writes whole lines. A closed stream is not an error, because nobody would see the message.
    pub(super) fn write(&mut self, text: &str) {
        match self {
            Self::Direct(writer) => write(writer, text),
            Self::Relayed(relay) => relay.push(text),
        }
    }

    /// Returns what [`Relay::drain`] needs, so that the caller can release its locks first.
    pub(super) fn relay(&self) -> Option<Arc<Relay>> {
        match self {
            Self::Direct(_) => None,
            Self::Relayed(relay) => Some(Arc::clone(relay)),
        }
    }
}

pub(super) struct Relay {
    writer: Mutex<Box<dyn Write + Send>>,
    queue: Mutex<Queue>,
    changed: Condvar,
    lost: Lost,
}

#[derive(Default)]
struct Queue {
    text: String,
    lost: u64,
    /// Whether a thread is at work. It ends when the queue is empty.
    at_work: bool,
}

impl Relay {
    /// Adds whole lines to the queue. Never waits for the reader.
    fn push(self: &Arc<Self>, text: &str) {
        let mut queue = lock(&self.queue);
        if queue.text.len() + text.len() > MOST {
            queue.lost += text.lines().count() as u64;
            return;
        }
        queue.text.push_str(text);
        if !queue.at_work {
            queue.at_work = true;
            let relay = Arc::clone(self);
            let thread = std::thread::Builder::new().name("progress-writer".to_owned());
            if thread.spawn(move || relay.work()).is_err() {
                drop(queue);
                // Without a thread, it is written here.
                self.work();
            }
        }
    }

    fn work(&self) {
        loop {
            let mut queue = lock(&self.queue);
            let mut text = std::mem::take(&mut queue.text);
            let lost = std::mem::take(&mut queue.lost);
            if text.is_empty() && lost == 0 {
                queue.at_work = false;
                self.changed.notify_all();
                return;
            }
            drop(queue);
            if lost > 0 {
                text += &(self.lost)(lost);
            }
            write(&mut *lock(&self.writer), &text);
        }
    }

    /// Waits until all is written. It waits as long as the reader does not read, as every write to
    /// a pipe does.
    pub(super) fn drain(&self) {
        let mut queue: MutexGuard<'_, Queue> = lock(&self.queue);
        while queue.at_work {
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn write(writer: &mut dyn Write, text: &str) {
    let _ = writer.write_all(text.as_bytes());
    let _ = writer.flush();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// A reader that reads only what the test lets it read.
    struct Stalled {
        may: Receiver<()>,
        read: Sender<String>,
    }

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.may.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            let _ = self.read.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn stalled() -> (Stream, Sender<()>, Receiver<String>) {
        let ((let_read, may), (read, text)) = (channel(), channel());
        (Stream::relayed(Box::new(Stalled { may, read }), |lines| format!("{lines} lost\n")), let_read, text)
    }

    #[test]
    fn lines_wait_for_a_reader_that_stalls_and_arrive_in_order() {
        let (mut stream, let_read, text) = stalled();
        for line in 0..1000 {
            stream.write(&format!("{line}\n"));
        }
        for _ in 0..1000 {
            let _ = let_read.send(());
        }
        stream.relay().unwrap().drain();
        let read: String = text.try_iter().collect();
        assert_eq!(read, (0..1000).map(|line| line.to_string() + "\n").collect::<String>());
    }

    #[test]
    fn lines_beyond_the_bound_are_counted_and_said() {
        let (mut stream, let_read, text) = stalled();
        let half = format!("{}\n", "x".repeat(MOST / 2));
        // The thread may have taken the first one already, so that a third one still fits.
        for _ in 0..5 {
            stream.write(&half);
        }
        for _ in 0..5 {
            let _ = let_read.send(());
        }
        stream.relay().unwrap().drain();
        let read: String = text.try_iter().collect();
        let kept = read.matches(&half).count();
        assert!((1..=3).contains(&kept), "{kept}");
        // The thread may have said some of them before the others were lost.
        let lost: usize = read.lines().filter_map(|line| line.strip_suffix(" lost")?.parse::<usize>().ok()).sum();
        assert_eq!(lost, 5 - kept);
    }

    #[test]
    fn a_closed_stream_holds_nobody() {
        let (mut stream, let_read, _) = stalled();
        drop(let_read);
        stream.write("a\n");
        stream.relay().unwrap().drain();
    }
}
