use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;

const CHANNEL: u16 = 3;

fn framed(kind: u8, channel: u16, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame(kind, channel, content, &mut out);
    out
}

/// A content header with a content type and this table of headers.
fn header(body_bytes: u64, table: &[u8]) -> Vec<u8> {
    let mut header = [&[0, 60, 0, 0][..], &body_bytes.to_be_bytes(), &[0b1010_0000, 0], b"\x04json"].concat();
    header.extend_from_slice(&(table.len() as u32).to_be_bytes());
    header.extend_from_slice(table);
    header
}

/// A delivery on a channel, its body in frames of this size.
fn delivery(channel: u16, body: &[u8], frame_bytes: usize) -> Vec<u8> {
    let mut out = framed(METHOD, channel, b"deliver");
    frame(HEADER, channel, &header(body.len() as u64, b""), &mut out);
    body.chunks(frame_bytes).for_each(|content| frame(BODY, channel, content, &mut out));
    out
}

/// What is passed on when so many bytes come at a time.
fn passed_on(bytes: &[u8], at_a_time: usize) -> Vec<u8> {
    let (mut shortener, mut out) = (Shortener::default(), Vec::new());
    let messages: usize = bytes.chunks(at_a_time).map(|some| shortener.feed(some, &mut out)).sum();
    assert_eq!(messages, frames(&out).iter().filter(|frame| frame.0 == HEADER).count());
    assert_eq!(shortener.left_of_frame(), 0);
    out
}

/// The frames in these bytes: type, channel, content.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u16, Vec<u8>)> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let size = u32::from_be_bytes(bytes[3..7].try_into().expect("four")) as usize;
        assert_eq!(bytes[START_BYTES + size], FRAME_END);
        let content = bytes[START_BYTES..START_BYTES + size].to_vec();
        frames.push((bytes[0], u16::from_be_bytes([bytes[1], bytes[2]]), content));
        bytes = &bytes[START_BYTES + size + 1..];
    }
    frames
}

/// The body that lapin puts together for a channel, as long as its content header says.
fn body_of(bytes: &[u8], channel: u16) -> Vec<u8> {
    let frames = frames(bytes);
    let of = |kind| frames.iter().filter(move |frame| frame.0 == kind && frame.1 == channel);
    let body: Vec<u8> = of(BODY).flat_map(|frame| frame.2.clone()).collect();
    assert_eq!(of(HEADER).next().and_then(|frame| body_bytes(&frame.2)), Some(body.len() as u64));
    body
}

#[test]
fn what_is_short_is_passed_on_as_it_came() {
    for size in [0, 1, 4_096, BODY_BYTES_MAX] {
        let bytes = delivery(CHANNEL, &vec![b'x'; size], 20_000);
        assert_eq!(passed_on(&bytes, 1_000), bytes);
        assert_eq!(passed_on(&bytes, 1), bytes);
    }
    let foreign = b"AMQP\0\0\x09\x01 and more";
    let (mut shortener, mut out) = (Shortener::default(), Vec::new());
    shortener.feed(foreign, &mut out);
    assert_eq!(out, foreign);
}

#[test]
fn of_a_long_body_the_beginning_is_passed_on_with_its_size_and_hash() {
    for size in [BODY_BYTES_MAX + 1, BODY_BYTES_MAX + TRAILER_BYTES, 5 * BODY_BYTES_MAX] {
        let body: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let out = passed_on(&delivery(CHANNEL, &body, 131_064), 65_536);
        assert!(frames(&out).iter().all(|frame| frame.2.len() <= CONTENT_BYTES));
        let (beginning, long_body) = without_trailer(body_of(&out, CHANNEL));
        assert_eq!(beginning, body[..BODY_BYTES_MAX]);
        let sha256 = hex::encode(Sha256::digest(&body));
        assert_eq!(long_body, Some(LongBody { bytes: size as u64, sha256 }));
    }
}

#[test]
fn a_long_body_is_read_while_other_channels_and_heartbeats_come_in_between() {
    let (long, short) = (vec![b'x'; 200_000], b"{}".to_vec());
    let mut bytes = framed(METHOD, CHANNEL, b"deliver");
    frame(HEADER, CHANNEL, &header(long.len() as u64, b""), &mut bytes);
    for content in long.chunks(50_000) {
        frame(BODY, CHANNEL, content, &mut bytes);
        bytes.extend_from_slice(&HEARTBEAT);
        bytes.extend(delivery(CHANNEL + 1, &short, 9));
    }
    bytes.extend(delivery(CHANNEL, &short, 9));
    let out = passed_on(&bytes, 7_919);
    assert_eq!(frames(&out).iter().filter(|frame| frame.0 == HEARTBEAT[0]).count(), 4);
    let bodies = |channel| frames(&out).iter().filter(|frame| (frame.0, frame.1) == (BODY, channel)).count();
    let pieces = (BODY_BYTES_MAX + TRAILER_BYTES).div_ceil(CONTENT_BYTES);
    assert_eq!((bodies(CHANNEL), bodies(CHANNEL + 1)), (pieces + 1, 4));
}

#[test]
fn headers_that_are_too_long_are_replaced_by_a_note() {
    let table = vec![b'V'; HEADER_BYTES_MAX];
    let mut bytes = framed(METHOD, CHANNEL, b"deliver");
    let long = header(2, &table);
    frame(HEADER, CHANNEL, &[long.as_slice(), b"rest"].concat(), &mut bytes);
    frame(BODY, CHANNEL, b"{}", &mut bytes);
    let out = passed_on(&bytes, 10_000);
    let passed = frames(&out)[1].2.clone();
    let text = String::from_utf8_lossy(&passed);
    assert!(passed.len() < 200 && passed.ends_with(b"rest"), "{text}");
    assert!(text.contains("x-vmacd-headers") && text.contains("65536 bytes of headers were left out"), "{text}");
}

#[test]
fn headers_that_are_too_deep_are_replaced_by_a_note_and_texts_become_readable() {
    let deep = (0..5_000)
        .fold(Vec::new(), |inner: Vec<u8>, _| [&b"\x01kF"[..], &(inner.len() as u32).to_be_bytes(), &inner].concat());
    let mut bytes = framed(METHOD, CHANNEL, b"\0\x3c\0\x3c\x03tag\0\0\0\0\0\0\0\x01\0\x01e\x03v\xf6x");
    frame(HEADER, CHANNEL, &header(2, &deep), &mut bytes);
    frame(BODY, CHANNEL, b"{}", &mut bytes);
    let out = frames(&passed_on(&bytes, 1_000));
    assert!(out[0].2.ends_with("\x04vöx".as_bytes()), "{:?}", out[0]);
    assert!(String::from_utf8_lossy(&out[1].2).contains("go too deep"), "{:?}", out[1]);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), at_a_time in 1usize..50) {
        let (mut shortener, mut out) = (Shortener::default(), Vec::new());
        bytes.chunks(at_a_time).for_each(|some| {
            shortener.feed(some, &mut out);
        });
    }
}
