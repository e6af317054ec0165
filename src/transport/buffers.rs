//! The input and output buffers of a connection, as ureq's `Buffers`. A binary that is built for
//! size zeroes ureq's own buffers byte by byte; the allocator zeroes these faster. This module does
//! not interpret the bytes.

use ureq::unversioned::transport::Buffers;

use super::BUFFER;

/// The bytes that a connection has read and ureq has not consumed, and the bytes to send.
pub struct InOut {
    input: Vec<u8>,
    /// `input[start..end]` has been read and not yet consumed.
    start: usize,
    end: usize,
    output: Vec<u8>,
    /// Whether ureq consumed input when it last looked. If not, ureq needs more input to continue.
    progress: bool,
}

impl InOut {
    pub fn new() -> Self {
        Self { input: vec![0; BUFFER], start: 0, end: 0, output: vec![0; BUFFER], progress: false }
    }

    /// Moves the unconsumed bytes to the front, so that the rest of the buffer is free.
    fn compact(&mut self) {
        if self.start > 0 {
            self.input.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }
}

impl Buffers for InOut {
    fn output(&mut self) -> &mut [u8] {
        &mut self.output
    }

    fn input(&self) -> &[u8] {
        self.input.get(self.start..self.end).unwrap_or_default()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.compact();
        self.input.get_mut(self.end..).unwrap_or_default()
    }

    fn input_appended(&mut self, amount: usize) {
        self.end = self.input.len().min(self.end + amount);
    }

    fn input_consume(&mut self, amount: usize) {
        self.progress = amount > 0;
        self.start = self.end.min(self.start + amount);
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        self.compact();
        if self.end == self.input.len() {
            // If the server responds before the whole request is sent, the input can be full.
            // Sending the rest of the request still needs room here.
            self.input.resize(self.end + BUFFER, 0);
        }
        (self.input.get_mut(self.end..).unwrap_or_default(), &mut self.output)
    }

    fn can_use_input(&self) -> bool {
        self.progress && self.start < self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(buffers: &mut InOut, bytes: &[u8]) {
        buffers.input_append_buf()[..bytes.len()].copy_from_slice(bytes);
        buffers.input_appended(bytes.len());
    }

    #[test]
    fn bytes_are_consumed_in_the_order_they_were_read() {
        let mut buffers = InOut::new();
        read(&mut buffers, b"abc");
        assert!(!buffers.can_use_input(), "ureq has not consumed anything yet");
        buffers.input_consume(1);
        assert!(buffers.can_use_input());
        read(&mut buffers, b"def");
        assert_eq!(buffers.input(), b"bcdef");
        buffers.input_consume(0);
        assert!(!buffers.can_use_input(), "ureq needs more input");
        buffers.input_consume(5);
        assert_eq!((buffers.input(), buffers.can_use_input()), (&b""[..], false));
        assert_eq!(buffers.input_append_buf().len(), BUFFER);
    }

    #[test]
    fn full_input_buffer_leaves_room_to_send_a_body() {
        let mut buffers = InOut::new();
        read(&mut buffers, &[b'x'; BUFFER]);
        assert!(buffers.input_append_buf().is_empty());
        let (body, output) = buffers.tmp_and_output();
        assert_eq!((body.len(), output.len()), (BUFFER, BUFFER));
        body.fill(b'y');
        assert_eq!(buffers.input(), [b'x'; BUFFER]);
    }
}
