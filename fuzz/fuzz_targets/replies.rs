//! Anything a switch might send, in pieces: framing and reply reading neither panic, hang, nor hold more than a multiple
//! of what came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vmacd::switch::{Decoder, Element, Framing, Reply};

const LIMIT_BYTES: usize = 1 << 16;

fuzz_target!(|input: (bool, u8, Vec<u8>)| {
    let (chunked, piece, bytes) = input;
    let mut decoder = Decoder::new(LIMIT_BYTES);
    decoder.set_framing(if chunked { Framing::Chunked } else { Framing::EndOfMessage });
    let mut messages = 0;
    for piece in bytes.chunks(usize::from(piece).max(1)) {
        decoder.push(piece);
        while let Ok(Some(message)) = decoder.next_message() {
            messages += 1;
            assert!(messages <= bytes.len(), "more messages than bytes");
            read(&String::from_utf8_lossy(&message));
        }
    }
    read(&String::from_utf8_lossy(&bytes));
});

fn read(text: &str) {
    if let Ok(reply) = Reply::read(text) {
        let held = size(&reply.root);
        assert!(held <= 64 * text.len().max(16), "{held} bytes are held for {}", text.len());
    }
}

/// What a tree holds, about.
fn size(element: &Element) -> usize {
    let own = size_of_val(element) + element.name.len() + element.text.len();
    let attributes: usize = element.attributes.iter().map(|(key, value)| 48 + key.len() + value.len()).sum();
    own + attributes + element.children.iter().map(size).sum::<usize>()
}
