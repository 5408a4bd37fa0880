//! Whatever is asked in whatever order, an address that stays wanted is never without a port that holds it, and in the end
//! each port holds what the row says.

use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use vmacd::domain::plan::EndState;
use vmacd::domain::{Desired, Status};
use vmacd::store::{Incoming, Vmac, VmacFilter};

use super::bench::{Bench, create, end_of, issued, reached, revoke, rotate, take};

on_both_engines! {
    an_address_that_is_wanted_is_always_held_somewhere,
}

/// What is asked of servers 1 to 3 (server 3 has a port on each switch), how much later than its number it was issued, and
/// which switches are pushed to then.
type Step = (u8, i64, i64, i64, Vec<bool>);

/// The ports of both switches that hold the address, with the MAC.
type Held = BTreeMap<(&'static str, String), String>;

const SWITCHES: [&str; 2] = ["sw-a", "sw-b"];

fn command(case: u32, number: usize, (kind, server, to, late_ms, _): &Step) -> Incoming {
    let (key, ip) = (format!("case-{case}-{number}"), address(case));
    let asked = match kind {
        0 => create(&key, *server, &ip),
        1 => rotate(&key, *server, &ip),
        2 if server != to => take(&key, *server, *to, &ip),
        2 | 3 => revoke(&key, *server, &ip),
        _ => take(&key, *server, 1 + server % 3, &ip),
    };
    issued(asked, 2 * i64::try_from(number).expect("few") + late_ms + 1)
}

fn address(case: u32) -> String {
    format!("10.78.{}.{}", case / 250, case % 250 + 1)
}

async fn an_address_that_is_wanted_is_always_held_somewhere(bench: &Bench) {
    let step = (0..6_u8, 1..4_i64, 1..4_i64, 0..4_i64, prop::collection::vec(any::<bool>(), 0..3));
    let strategy = prop::collection::vec(step, 1..10);
    let (runtime, case) = (tokio::runtime::Handle::current(), Cell::new(0));
    let check = |steps: Vec<Step>| {
        case.set(case.get() + 1);
        runtime.block_on(history(bench, case.get(), &steps));
        Ok(())
    };
    tokio::task::block_in_place(|| {
        let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
        TestRunner::new(config).run(&strategy, check).unwrap_or_else(|error| panic!("{error}"));
    });
}

async fn history(bench: &Bench, case: u32, steps: &[Step]) {
    let mut held = Held::new();
    bench.admit(issued(create(&format!("case-{case}"), 1, &address(case)), 0)).await;
    push(bench, case, "sw-a", &mut held).await;
    for (number, step) in steps.iter().enumerate() {
        bench.admit(command(case, number, step)).await;
        for first in &step.4 {
            push(bench, case, SWITCHES[usize::from(*first)], &mut held).await;
        }
    }
    // What could not be done yet comes again.
    for (number, step) in steps.iter().enumerate() {
        bench.admit(command(case, number, step)).await;
    }
    for _ in 0..4 {
        for switch in SWITCHES {
            push(bench, case, switch, &mut held).await;
        }
    }
    assert_eq!(held, wanted(live(bench, case).await.as_ref()), "{steps:?}");
}

/// One commit: everything that waits for the switch, at once.
async fn push(bench: &Bench, case: u32, switch: &'static str, held: &mut Held) {
    let before = held.clone();
    let wanted_before = live(bench, case).await.is_some_and(|row| row.desired == Desired::Bound);
    let pushed = bench.pushed(switch, |_, port| reached(end_of(port))).await;
    for result in &pushed.ends {
        let at = (switch, result.wish.interface.to_string());
        match result.end.as_ref().map(|reached| reached.end) {
            Ok(EndState::Bound) => held.insert(at, result.wish.mac.to_string()),
            _ => held.remove(&at),
        };
    }
    bench.settle_with(switch, &pushed).await;
    assert!(!wanted_before || before.is_empty() || !held.is_empty(), "on neither after a push of {switch}: {before:?}");
}

async fn live(bench: &Bench, case: u32) -> Option<Vmac> {
    let filter = VmacFilter { ip: Some(address(case).parse().expect("an address")), ..VmacFilter::default() };
    let rows = bench.store.vmacs().find(&filter).await.expect("rows");
    rows.into_iter().find(|row| row.status != Status::Revoked)
}

fn wanted(row: Option<&Vmac>) -> Held {
    let Some(row) = row else { return Held::new() };
    assert_eq!(row.status, Status::Active, "nothing is left waiting: {row:?}");
    let staying = row.switch_bindings.iter().filter(|port| !port.leaving);
    let at = |port: &vmacd::domain::SwitchBinding| {
        let switch = SWITCHES.into_iter().find(|switch| *switch == port.switch.as_str()).expect("a switch");
        ((switch, port.interface.to_string()), row.mac_address.to_string())
    };
    staying.map(at).collect()
}
