//! Chaos: whatever dies, wherever, each message ends in exactly one of done or dead-lettered, each switch holds exactly
//! what the rows say, no MAC stands twice, and no operator's edit is touched.
//!
//! `accounting` counts messages one by one. The soak: `arena` has the servers, switches and workers, `brokers` and `base` what they talk to; `producer` sends;
//! `trouble` breaks things by a seed; `checker` compares in the end. `tests/chaos` runs it for longer.

mod accounting;
mod arena;
mod base;
mod brokers;
mod checker;
mod producer;
mod trouble;

use std::time::{Duration, Instant};

use arena::Arena;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::support::{number, size};

/// How long things break in a run that is not long, and in a long one, unless `VMACD_CHAOS_S` says otherwise.
const SECONDS_SHORT: u64 = 15;
const SECONDS_LONG: u64 = 45;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_whatever_dies_with_a_fixed_seed_on_private_servers() {
    survive(7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_whatever_dies_with_another_seed_on_private_servers() {
    survive(number("VMACD_CHAOS_SEED").unwrap_or_else(rand::random)).await;
}

async fn survive(seed: u64) {
    let seconds = size("VMACD_CHAOS_S", SECONDS_SHORT, SECONDS_LONG);
    eprintln!("to repeat: tests/chaos --seconds {seconds} --seed {seed}");
    let mut arena = Arena::new(number("VMACD_CHAOS_SWITCHES").unwrap_or(8)).await;
    let producer = producer::start(&arena, StdRng::seed_from_u64(seed));
    let mut trouble = trouble::Trouble::new(StdRng::seed_from_u64(seed.wrapping_add(1)), &arena);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        trouble.step(&mut arena).await;
    }
    trouble.mend(&mut arena).await;
    let sent = producer.finish().await;
    checker::check(&mut arena, &sent, &trouble.edits).await;
    eprintln!("seed {seed}: {} commands, {} messages, {}", sent.commands.len(), sent.messages, trouble.summary());
}
