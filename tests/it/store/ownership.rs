//! What the rows remember of the ports that they had.

use vmacd::domain::plan::{EndState, LeftPort, Ownership, PresentBinding, Wish};
use vmacd::domain::{Desired, Mac};

use super::bench::{Bench, create, reached, revoke, switch, take};

on_both_engines! {
    a_port_that_a_row_was_revoked_on_or_left_is_remembered_with_its_last_mac,
    what_rows_still_want_is_not_left_and_only_what_matters_is_asked_for,
    of_the_revoked_rows_of_a_switch_only_those_of_the_addresses_asked_for_are_read,
}

const IP: &str = "10.0.1.10";
const PXE: Mac = Mac::new([0x52, 0x54, 0, 0, 0, 1]);

fn held(interface: &str, ip: &str, mac: Mac) -> PresentBinding {
    let (interface, ip) = (interface.parse().expect("an interface"), ip.parse().expect("an address"));
    PresentBinding::new(interface, ip, None, mac)
}

/// What a create for server 3's port would be told of a switch with these bindings.
async fn owned(bench: &Bench, present: &[PresentBinding]) -> Ownership {
    bench.store.vmacs().ownership(&switch("sw-a"), &[wish_for_three()], present).await.expect("an answer")
}

fn left(mac: Mac) -> Vec<LeftPort> {
    let (ip, interface) = (IP.parse().expect("an address"), "ge-0/0/1".parse().expect("an interface"));
    vec![LeftPort { ip, interface, mac }]
}

async fn a_port_that_a_row_was_revoked_on_or_left_is_remembered_with_its_last_mac(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.settle("sw-a").await;
    bench.admit(revoke("m-2", 1, IP)).await;
    let restored = bench.pushed("sw-a", |_, _| reached(EndState::Restored)).await;
    bench.settle_with("sw-a", &restored).await;
    assert_eq!(owned(bench, &[held("ge-0/0/1", IP, PXE)]).await.left, left(PXE));
    let other_switch = bench.store.vmacs().ownership(&switch("sw-b"), &[], &[]).await.expect("an answer");
    assert_eq!(other_switch, Ownership::default());

    let moved = "10.0.1.11";
    bench.admit(create("m-3", 1, moved)).await;
    bench.settle("sw-a").await;
    bench.admit(take("m-4", 1, 3, moved)).await;
    bench.settle("sw-a").await;
    let mac = bench.row(moved).await.mac_address;
    let present = [held("ge-0/0/1.0", moved, mac)];
    let wish = Wish { ip: moved.parse().expect("an address"), ..wish_for_three() };
    let owned = bench.store.vmacs().ownership(&switch("sw-a"), &[wish], &present).await.expect("an answer");
    let ports: Vec<_> = owned.left.iter().map(|port| port.interface.as_str()).collect();
    assert_eq!((owned.macs.contains(&mac), ports), (true, vec!["ge-0/0/1"]));
}

fn wish_for_three() -> Wish {
    Wish {
        vmac_id: 78,
        desired: Desired::Bound,
        leaving: false,
        interface: "ge-0/0/3".parse().expect("an interface"),
        ip: IP.parse().expect("an address"),
        mac: Mac::new([0x02, 0xaa, 0, 0, 0, 78]),
        pxe_mac: PXE,
        primary_ip: None,
        vlan: None,
    }
}

async fn what_rows_still_want_is_not_left_and_only_what_matters_is_asked_for(bench: &Bench) {
    bench.admit(create("m-1", 1, IP)).await;
    bench.settle("sw-a").await;
    let mac = bench.row(IP).await.mac_address;
    let wanted = owned(bench, &[held("ge-0/0/1", IP, mac)]).await;
    assert_eq!((wanted.left, wanted.macs), (Vec::new(), [mac].into()));
    bench.admit(revoke("m-2", 1, IP)).await;
    bench.settle("sw-a").await;
    assert_eq!(owned(bench, &[held("ge-0/0/3.0", IP, mac)]).await.left, [], "no other port holds the address");
    assert_eq!(owned(bench, &[held("ge-0/0/1", "10.0.1.99", mac)]).await, Ownership::default(), "another address");
}

async fn of_the_revoked_rows_of_a_switch_only_those_of_the_addresses_asked_for_are_read(bench: &Bench) {
    let addresses: Vec<String> = (10..15).map(|last| format!("10.0.1.{last}")).collect();
    for ip in &addresses {
        bench.admit(create(&format!("c-{ip}"), 1, ip)).await;
        bench.settle("sw-a").await;
    }
    for ip in &addresses[1..] {
        bench.admit(revoke(&format!("r-{ip}"), 1, ip)).await;
        bench.settle("sw-a").await;
    }
    let wanted = async |asked: &[&str]| -> Vec<String> {
        let asked: Vec<_> = asked.iter().map(|ip| ip.parse().expect("an address")).collect();
        let items = bench.store.work().wanted_on(&switch("sw-a"), &asked).await.expect("rows");
        items.iter().map(|item| item.vmac.ip_address.to_string()).collect()
    };
    assert_eq!(wanted(&[]).await, [IP]);
    assert_eq!(wanted(&["10.0.1.13", "10.0.1.99"]).await, [IP, "10.0.1.13"]);
}
