//! The stages of a push, as `docs/STATES.md` draws them.

use vmacd::switch::Stage;

use super::bench::{Bench, Notes};
use crate::support::drawn::assert_drawn;

#[tokio::test]
async fn the_stages_of_a_push_are_those_of_the_page() {
    let bench = Bench::non_els().await;
    let mut notes = Notes::of(vec![bench.create(0, 1)]);
    bench.push(&mut notes).await;
    // The worker reaches the first and the last.
    let stages: Vec<&str> = std::iter::once(Stage::Connected)
        .chain(notes.stages.iter().copied())
        .chain([Stage::Settled])
        .map(Stage::as_str)
        .collect();
    let names = stages.windows(2).map(|pair| format!("    {} --> {}", pair[0], pair[1]));
    let lines: Vec<String> = std::iter::once("flowchart LR".to_owned()).chain(names).collect();
    assert_drawn("docs/STATES.md", "stages", &lines);
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/STATES.md")).expect("docs/STATES.md");
    let missing: Vec<_> = stages.iter().filter(|stage| !page.contains(&format!("\n| `{stage}` |"))).collect();
    assert!(missing.is_empty(), "docs/STATES.md: the table lacks {missing:?}");
}
