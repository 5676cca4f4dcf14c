//! What the targets share.

use raudal::table::{Format, Rows, Sink, SinkOptions, Target};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the rows as CSV, with their header.
pub fn csv(rows: Rows) -> Vec<u8> {
    let out = Shared::default();
    let mut sink = Sink::create(Target::Writer(Box::new(out.clone())), SinkOptions::new(Format::Csv)).expect("a sink");
    sink.append("a", rows).expect("rows that can be written");
    sink.finish().expect("memory does not fail");
    let bytes = out.0.lock().expect("no panic").clone();
    bytes
}
