//! The bytes of a connection on their way in and out, in the shape that ureq wants. ureq's own
//! buffers are zeroed byte by byte in a binary that is built for size; the allocator zeroes faster.
//! Decides nothing about what the bytes mean.

use ureq::unversioned::transport::Buffers;

use super::BUFFER;

/// What a connection has read and ureq has not consumed, and what it is to send.
pub struct InOut {
    input: Vec<u8>,
    /// The bytes that were read and not consumed are `input[start..end]`.
    start: usize,
    end: usize,
    output: Vec<u8>,
    /// Whether ureq consumed something when it last looked. If not, it needs more to go on.
    progress: bool,
}

impl InOut {
    pub fn new() -> Self {
        Self { input: vec![0; BUFFER], start: 0, end: 0, output: vec![0; BUFFER], progress: false }
    }

    /// Moves what is not consumed to the front, so that as much as possible is free behind it.
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
            // A server that answers before it is asked must not keep the request from being sent.
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
    fn bytes_come_out_in_the_order_they_went_in() {
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
    fn full_input_still_leaves_room_to_send_a_body() {
        let mut buffers = InOut::new();
        read(&mut buffers, &[b'x'; BUFFER]);
        assert!(buffers.input_append_buf().is_empty());
        let (body, output) = buffers.tmp_and_output();
        assert_eq!((body.len(), output.len()), (BUFFER, BUFFER));
        body.fill(b'y');
        assert_eq!(buffers.input(), [b'x'; BUFFER]);
    }
}
