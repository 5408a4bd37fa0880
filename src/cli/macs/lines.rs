//! Which line a byte of a file stands on. The CSV reader counts lines itself, but not those that it passes over before a record.

use std::io::Read;

/// Reads through, and remembers where lines end.
pub(super) struct Lines<R> {
    inner: R,
    read: u64,
    ends: Vec<u64>,
}

impl<R> Lines<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, read: 0, ends: Vec::new() }
    }

    /// The line, from 1, of a byte that was read; the end of a line belongs to it.
    pub fn line_of(&self, byte: u64) -> u64 {
        1 + self.ends.partition_point(|end| *end < byte) as u64
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let ends = (self.read..).zip(&buffer[..count]).filter(|(_, byte)| **byte == b'\n');
        self.ends.extend(ends.map(|(at, _)| at));
        self.read += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_its_line() {
        let mut lines = Lines::new(b"ab\n\r\nc".as_slice());
        std::io::copy(&mut lines, &mut std::io::sink()).expect("read");
        let told: Vec<u64> = (0..6).map(|byte| lines.line_of(byte)).collect();
        assert_eq!(told, [1, 1, 1, 2, 2, 3]);
    }
}
