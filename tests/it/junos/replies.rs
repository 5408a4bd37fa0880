//! Every reply shape gets the right verdict.

use crate::support::table::{assert_documented, markdown};
use proptest::prelude::*;
use vmacd::domain::Code;
use vmacd::switch::{Decoder, Framing, Reply, encode, refusal};

use super::shapes::SHAPES;

/// The verdict in words.
fn verdict(text: &str) -> String {
    let Ok(reply) = Reply::read(text) else { return "not understood".to_owned() };
    if !reply.answers(7) {
        return "not understood".to_owned();
    }
    let joined =
        |errors: &[vmacd::switch::RpcError]| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    match (reply.errors.is_empty(), reply.warnings.is_empty()) {
        (true, true) => "success".to_owned(),
        (true, false) => format!("success, with warnings: {}", joined(&reply.warnings)),
        (false, _) => {
            format!("{}: {}", kind(refusal("sw", "commit", reply.errors.clone()).failure().code), joined(&reply.errors))
        }
    }
}

fn kind(code: Code) -> &'static str {
    match code {
        Code::LockedByOther => "lock held",
        Code::CandidateDirty => "dirty candidate",
        Code::PermissionDenied => "permission denied",
        Code::SwitchTrouble => "trouble",
        Code::DuplicateMac => "duplicate MAC",
        Code::RefusedBySwitch => "refused",
        other => panic!("{other} is no refusal"),
    }
}

#[test]
fn every_reply_shape_gets_its_verdict() {
    let mut rows = Vec::new();
    for shape in SHAPES {
        assert_eq!(verdict(shape.text), shape.verdict, "{}", shape.name);
        rows.push(vec![shape.name.to_owned(), shape.seen.to_owned(), shape.verdict.to_owned()]);
    }
    assert_documented("docs/JUNOS.md", "replies", &markdown(&["reply", "seen", "verdict"], &rows));
}

#[test]
fn every_reply_shape_is_read_the_same_wherever_its_bytes_are_split() {
    for framing in [Framing::EndOfMessage, Framing::Chunked] {
        for shape in SHAPES {
            let wire = encode(framing, shape.text);
            for split in 0..wire.len() {
                let mut decoder = Decoder::new(1 << 20);
                decoder.set_framing(framing);
                let mut messages = Vec::new();
                for part in [&wire[..split], &wire[split..]] {
                    decoder.push(part);
                    messages.extend(decoder.next_message().expect("well framed"));
                }
                let text = String::from_utf8(messages.remove(0)).expect("UTF-8");
                assert_eq!(verdict(&text), shape.verdict, "{} split at {split}", shape.name);
            }
        }
    }
}

proptest! {
    #[test]
    fn a_reply_that_is_cut_or_changed_anywhere_never_panics(
        shape in 0..SHAPES.len(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut bytes = SHAPES[shape].text.as_bytes().to_vec();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(reply) = Reply::read(&text) {
            let held: usize = size(&reply.root);
            prop_assert!(held <= 64 * text.len().max(16), "{held} bytes are held for {}", text.len());
        }
    }
}

/// What a tree holds on the heap, about.
fn size(element: &vmacd::switch::Element) -> usize {
    let own = size_of_val(element) + element.name.capacity() + element.text.capacity();
    let attributes: usize = element.attributes.iter().map(|(key, value)| 48 + key.capacity() + value.capacity()).sum();
    own + attributes + element.children.iter().map(size).sum::<usize>()
}
