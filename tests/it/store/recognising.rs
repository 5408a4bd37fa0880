//! Bindings of vmacd's own that the rows have lost are recognised by what commands draw.

use vmacd::domain::{Draws, Mac, Pools};
use vmacd::store::{Incoming, Recognised};

use super::bench::{Bench, create, issued, revoke};

on_both_engines! {
    a_row_takes_on_the_mac_that_its_command_drew,
    a_row_that_is_revoked_knows_it_for_its_own,
    what_no_command_of_the_row_drew_is_somebody_elses,
}

const IP: &str = "10.0.1.10";

fn drawn(incoming: &Incoming) -> Mac {
    let (pools, command) = (Pools::default(), &incoming.command);
    let pool = pools.iter().next().expect("the default pool");
    pools.drawn(pool, Draws::of(&incoming.message_identity, command.server_id, command.ip_address), 0)
}

/// A row that was active, whose revoke and second create were admitted with nothing pushed in between: it has the first
/// MAC, and the switch that of the second create.
async fn collapsed(bench: &Bench) -> (i64, Mac, Mac) {
    let first = create("m-1", 1, IP);
    bench.admit(first.clone()).await;
    bench.settle("sw-a").await;
    let second = issued(create("m-3", 1, IP), 3_000);
    bench.admit(issued(revoke("m-2", 1, IP), 2_000)).await;
    bench.admit(second.clone()).await;
    let row = bench.row(IP).await;
    assert_eq!(row.mac_address, drawn(&first), "it is the same row");
    (row.id, drawn(&first), drawn(&second))
}

async fn recognise(bench: &Bench, found: &[(i64, Mac)]) -> Vec<Recognised> {
    bench.store.vmacs().recognise(found).await.expect("an answer")
}

async fn a_row_takes_on_the_mac_that_its_command_drew(bench: &Bench) {
    let (vmac_id, first, second) = collapsed(bench).await;
    let generation = bench.row(IP).await.generation;
    assert_eq!(recognise(bench, &[(vmac_id, second)]).await, [Recognised { vmac_id, mac: second, is_taken_on: true }]);
    let row = bench.row(IP).await;
    assert_eq!((row.mac_address, row.generation), (second, generation + 1));
    let ours = bench.store.vmacs().ours_among(&[first, second]).await.expect("an answer");
    assert_eq!(ours.len(), 2, "the first stays vmacd's own, and is never given out again");
    assert_eq!(recognise(bench, &[(vmac_id, second)]).await, [], "it is the row's by now");
    bench.settle("sw-a").await;
    assert_eq!(bench.row(IP).await.mac_address, second);
}

async fn a_row_that_is_revoked_knows_it_for_its_own(bench: &Bench) {
    let (vmac_id, first, second) = collapsed(bench).await;
    bench.admit(issued(revoke("m-4", 1, IP), 4_000)).await;
    assert_eq!(recognise(bench, &[(vmac_id, second)]).await, [Recognised { vmac_id, mac: second, is_taken_on: false }]);
    assert_eq!(bench.row(IP).await.mac_address, first);
    assert!(bench.store.vmacs().ours_among(&[second]).await.expect("an answer").contains(&second));
}

async fn what_no_command_of_the_row_drew_is_somebody_elses(bench: &Bench) {
    let (vmac_id, ..) = collapsed(bench).await;
    let other = create("m-5", 1, "10.0.1.11");
    bench.admit(other.clone()).await;
    let unknown = Mac::new([2, 0xab, 0, 0, 0, 1]);
    assert_eq!(recognise(bench, &[(vmac_id, unknown), (vmac_id, drawn(&other))]).await, []);
    assert!(!bench.store.vmacs().ours_among(&[unknown]).await.expect("an answer").contains(&unknown));
}
