//! Bytes that can be given back.

use std::collections::VecDeque;

use crate::text::Bytes;
use raudal_common::Result;

/// A source of bytes. What was read of it and not used comes again.
pub(crate) struct Feed<B> {
    bytes: B,
    /// What was given back, and from where on it counts.
    back: VecDeque<(Vec<u8>, usize)>,
}

impl<B: Bytes> Feed<B> {
    pub(crate) fn new(bytes: B) -> Self {
        Self { bytes, back: VecDeque::new() }
    }

    /// Gives pieces back, each from a place on. They are read next, in their order.
    pub(super) fn give_back(&mut self, pieces: Vec<(Vec<u8>, usize)>) {
        for (bytes, from) in pieces.into_iter().rev() {
            if from < bytes.len() {
                self.back.push_front((bytes, from));
            }
        }
    }
}

impl<B: Bytes> Bytes for Feed<B> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let Some((bytes, from)) = self.back.front_mut() else { return self.bytes.read(buffer) };
        let count = buffer.len().min(bytes.len() - *from);
        buffer[..count].copy_from_slice(&bytes[*from..*from + count]);
        *from += count;
        if *from == bytes.len() {
            self.back.pop_front();
        }
        Ok(count)
    }
}
