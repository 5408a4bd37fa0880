//! The frames that RabbitMQ sends, shortened before lapin sees them: lapin keeps a body whole, however long it is, and
//! for as many messages as the prefetch allows.
//!
//! Of a body that is too long for a command the first [`BODY_BYTES_MAX`] bytes are passed on, followed by a trailer with
//! its size and the SHA-256 of the whole; its content header is changed to say so. Headers that are too long or too deep
//! are replaced by a note, and texts that are not UTF-8 are read as Latin-1 ([`short_strings`]). Everything else is passed on as it
//! comes. The format: AMQP 0-9-1, sections 2.3 and 4.2.

use std::collections::HashMap;

use super::short_strings::{self, Unreadable};
use crate::domain::{BODY_BYTES_MAX, LongBody, LongBodyReader};

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const FRAME_END: u8 = 0xCE;
/// Type, channel and size.
const START_BYTES: usize = 7;
/// A frame that says only that the peer is alive.
pub(super) const HEARTBEAT: [u8; START_BYTES + 1] = [8, 0, 0, 0, 0, 0, 0, FRAME_END];
/// Content of a frame that any peer takes: 4096 is the least that may be agreed on (section 4.2.3, `frame-min-size`).
const CONTENT_BYTES: usize = 4_096 - START_BYTES - 1;
/// Longest content header that is passed on unchanged, bytes. vmacd's own are shorter.
const HEADER_BYTES_MAX: usize = 64 << 10;
/// Longest content header that is gathered to be changed.
const GATHERED_BYTES_MAX: usize = 1 << 20;
/// Where the size of the body is in a content header, and where the flags of its properties are.
const SIZE_AT: usize = 4;
const FLAGS_AT: usize = 12;
/// Longest method that has texts of producers, bytes: three short strings and a few numbers.
const METHOD_BYTES_MAX: usize = 1_024;
/// Size and SHA-256 behind a body that was shortened.
const TRAILER_BYTES: usize = 8 + 32;

/// Shortens what is fed to it.
#[derive(Debug, Default)]
pub(super) struct Shortener {
    state: State,
    /// The start of a frame, or a content header, as far as it has come.
    gathered: Vec<u8>,
    /// The long bodies that are being read, by channel, with their sizes.
    long: HashMap<u16, (u64, LongBodyReader)>,
}

#[derive(Debug, Default)]
enum State {
    /// The start of a frame comes.
    #[default]
    Start,
    /// So many bytes are passed on.
    Pass(usize),
    /// So many bytes of a method come, its end included.
    Method { channel: u16, left: usize },
    /// So many bytes of a content header come, its end included.
    Header { channel: u16, left: usize },
    /// So many bytes of a long body come, and the end of their frame.
    Long { channel: u16, left: usize },
    /// The peer does not speak AMQP 0-9-1; lapin says so.
    Foreign,
}

impl Shortener {
    /// Reads what came and adds to `out` what is passed on; answers with how many messages begin in that.
    pub fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> usize {
        let mut messages = 0;
        while !bytes.is_empty() {
            let read = match self.state {
                State::Start => self.start(bytes, out),
                State::Pass(left) => {
                    let (now, left) = part(bytes, left);
                    out.extend_from_slice(now);
                    self.state = if left == 0 { State::Start } else { State::Pass(left) };
                    now.len()
                }
                State::Method { channel, left } => self.method(channel, left, bytes, out),
                State::Header { channel, left } => {
                    messages += usize::from(left <= bytes.len());
                    self.header(channel, left, bytes, out)
                }
                State::Long { channel, left } => self.long(channel, left, bytes, out),
                State::Foreign => {
                    out.extend_from_slice(bytes);
                    bytes.len()
                }
            };
            bytes = &bytes[read..];
        }
        messages
    }

    /// Bytes that are left of a frame whose beginning was passed on; 0 where what was passed on ends with a whole frame.
    pub fn left_of_frame(&self) -> usize {
        match self.state {
            State::Pass(left) => left,
            State::Foreign => usize::MAX,
            State::Start | State::Method { .. } | State::Header { .. } | State::Long { .. } => 0,
        }
    }

    fn start(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        let (now, left) = part(bytes, START_BYTES - self.gathered.len());
        self.gathered.extend_from_slice(now);
        if self.gathered[0] == b'A' {
            out.append(&mut self.gathered);
            self.state = State::Foreign;
        } else if left == 0 {
            let start = std::mem::take(&mut self.gathered);
            let (kind, channel) = (start[0], u16::from_be_bytes([start[1], start[2]]));
            let size = u32::from_be_bytes([start[3], start[4], start[5], start[6]]) as usize;
            self.state = match kind {
                METHOD if size <= METHOD_BYTES_MAX => State::Method { channel, left: size + 1 },
                HEADER if size <= GATHERED_BYTES_MAX => State::Header { channel, left: size + 1 },
                BODY if self.long.contains_key(&channel) => State::Long { channel, left: size + 1 },
                _ => {
                    out.extend_from_slice(&start);
                    State::Pass(size + 1)
                }
            };
        }
        now.len()
    }

    fn method(&mut self, channel: u16, left: usize, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        let (now, left) = part(bytes, left);
        self.gathered.extend_from_slice(now);
        self.state = State::Method { channel, left };
        if left == 0 {
            let mut method = std::mem::take(&mut self.gathered);
            method.pop();
            frame(METHOD, channel, &short_strings::method(&method).unwrap_or(method), out);
            self.state = State::Start;
        }
        now.len()
    }

    fn header(&mut self, channel: u16, left: usize, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        let (now, left) = part(bytes, left);
        self.gathered.extend_from_slice(now);
        self.state = State::Header { channel, left };
        if left == 0 {
            let mut header = std::mem::take(&mut self.gathered);
            header.pop();
            self.long.remove(&channel);
            if let Some(size) = body_bytes(&header).filter(|size| *size > BODY_BYTES_MAX as u64) {
                self.long.insert(channel, (size, LongBodyReader::default()));
                let shortened = (BODY_BYTES_MAX + TRAILER_BYTES) as u64;
                header[SIZE_AT..FLAGS_AT].copy_from_slice(&shortened.to_be_bytes());
            }
            frame(HEADER, channel, &readable(header), out);
            self.state = State::Start;
        }
        now.len()
    }

    fn long(&mut self, channel: u16, left: usize, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        let (now, left) = part(bytes, left);
        self.state = if left == 0 { State::Start } else { State::Long { channel, left } };
        let Some((size, reader)) = self.long.get_mut(&channel) else { return now.len() };
        reader.read(if left == 0 { &now[..now.len() - 1] } else { now });
        if left == 0
            && reader.bytes() >= *size
            && let Some((_, reader)) = self.long.remove(&channel)
        {
            let (mut body, long_body) = reader.end();
            body.extend_from_slice(&trailer(&long_body));
            body.chunks(CONTENT_BYTES).for_each(|content| frame(BODY, channel, content, out));
        }
        now.len()
    }
}

/// The beginning of a body as lapin has it, and what is known of the whole where it was shortened.
pub(super) fn without_trailer(mut body: Vec<u8>) -> (Vec<u8>, Option<LongBody>) {
    if body.len() != BODY_BYTES_MAX + TRAILER_BYTES {
        return (body, None);
    }
    let trailer = body.split_off(BODY_BYTES_MAX);
    body.shrink_to_fit();
    let (bytes, sha256) = trailer.split_at(8);
    let bytes = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    (body, Some(LongBody { bytes, sha256: hex::encode(sha256) }))
}

fn trailer(long_body: &LongBody) -> Vec<u8> {
    let mut trailer = long_body.bytes.to_be_bytes().to_vec();
    trailer.extend(hex::decode(&long_body.sha256).unwrap_or_default());
    trailer.resize(TRAILER_BYTES, 0);
    trailer
}

/// The first so many of the bytes, or all of them, and how many are then left.
fn part(bytes: &[u8], left: usize) -> (&[u8], usize) {
    let now = &bytes[..left.min(bytes.len())];
    (now, left - now.len())
}

fn frame(kind: u8, channel: u16, content: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&channel.to_be_bytes());
    out.extend_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(content);
    out.push(FRAME_END);
}

fn body_bytes(header: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(header.get(SIZE_AT..FLAGS_AT)?.try_into().ok()?))
}

/// The content header as lapin can read it and has room for it.
fn readable(mut header: Vec<u8>) -> Vec<u8> {
    if header.len() > HEADER_BYTES_MAX {
        let text = |bytes| format!("{bytes} bytes of headers were left out; at most {HEADER_BYTES_MAX} are read");
        header = with_a_note(&header, text).unwrap_or(header);
    }
    match short_strings::header(&header) {
        Ok(readable) => readable,
        Err(Unreadable::Form) => header,
        Err(Unreadable::Deep) => {
            let text = |bytes| format!("{bytes} bytes of headers were left out: tables within tables go too deep");
            let header = with_a_note(&header, text).unwrap_or(header);
            short_strings::header(&header).unwrap_or(header)
        }
    }
}

/// The content header with a note in place of its table of headers, the third of the properties (the first two are
/// short strings).
fn with_a_note(header: &[u8], text: impl Fn(usize) -> String) -> Option<Vec<u8>> {
    let flags = u16::from_be_bytes([*header.get(FLAGS_AT)?, *header.get(FLAGS_AT + 1)?]);
    let has = |property: u16| flags & (0x8000 >> property) != 0;
    let mut at = FLAGS_AT + 2;
    for property in 0..2 {
        at += if has(property) { 1 + usize::from(*header.get(at)?) } else { 0 };
    }
    if !has(2) {
        return None;
    }
    let bytes = u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?) as usize;
    let rest = header.get(at + 4 + bytes..)?;
    let table = note(&text(bytes));
    Some([&header[..at], &table, rest].concat())
}

/// A table with this text under `x-vmacd-headers`.
fn note(text: &str) -> Vec<u8> {
    let name = b"x-vmacd-headers";
    let mut fields = vec![name.len() as u8];
    fields.extend_from_slice(name);
    fields.push(b'S');
    fields.extend_from_slice(&(text.len() as u32).to_be_bytes());
    fields.extend_from_slice(text.as_bytes());
    [&(fields.len() as u32).to_be_bytes(), fields.as_slice()].concat()
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
