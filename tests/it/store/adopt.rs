//! Adoption makes rows in few statements, and the unique indexes decide who has what.

use vmacd::domain::adopt::{Adoptable, FoundPort};

use super::bench::{Bench, create, issued, revoke};

on_both_engines! {
    thousands_of_bindings_become_rows_in_few_statements,
    what_others_have_is_left_to_them,
    an_older_command_does_not_undo_an_adoption,
}

const MANY: u32 = 10_000;

fn found(server_id: i64, number: u32) -> Adoptable {
    let port =
        FoundPort { switch: "sw-1".parse().expect("a name"), interface: "ge-0/0/1.0".parse().expect("an interface") };
    let [_, high, mid, low] = number.to_be_bytes();
    Adoptable {
        server_id,
        ip_address: format!("10.{}.{mid}.{low}", 100 + high).parse().expect("an address"),
        mac_address: format!("00:50:56:{high:02x}:{mid:02x}:{low:02x}").parse().expect("a MAC"),
        vlan_name: Some("VLAN.13".parse().expect("a VLAN")),
        ports: vec![port],
    }
}

async fn thousands_of_bindings_become_rows_in_few_statements(bench: &Bench) {
    let many: Vec<Adoptable> = (1..=MANY).map(|number| found(1, number)).collect();
    let before = bench.store.statements();
    let made = bench.store.vmacs().adopt(&many).await.expect("adopted");
    assert_eq!(made.len(), many.len());
    assert!(bench.store.statements() - before <= 90, "{} statements", bench.store.statements() - before);
    let row = &made[0];
    assert_eq!((row.status.as_str(), row.requested_by.as_deref()), ("active", Some("adopt")));
    assert!(row.activated_at.is_some() && row.switch_bindings.len() == 1, "{row:?}");
    assert_eq!(bench.store.vmacs().adopt(&many[..10]).await.expect("nothing"), [], "a second time nothing is made");
    assert_eq!(bench.store.events().claim(100_000, super::bench::LONG).await.expect("events").len(), many.len());
}

async fn what_others_have_is_left_to_them(bench: &Bench) {
    let first = found(1, 1);
    bench.store.vmacs().adopt(std::slice::from_ref(&first)).await.expect("adopted");
    let same_mac = Adoptable { mac_address: first.mac_address, ..found(1, 2) };
    let same_ip = Adoptable { ip_address: first.ip_address, ..found(1, 3) };
    let made = bench.store.vmacs().adopt(&[same_mac, same_ip, found(1, 4)]).await.expect("adopted");
    assert_eq!(made.iter().map(|row| row.mac_address).collect::<Vec<_>>(), [found(1, 4).mac_address]);
}

async fn an_older_command_does_not_undo_an_adoption(bench: &Bench) {
    let row = bench.store.vmacs().adopt(&[found(1, 1)]).await.expect("adopted").remove(0);
    let ip = row.ip_address.to_string();
    let late = issued(revoke("r-1", 1, &ip), 1_000);
    bench.admit_all(&[late]).await;
    assert_eq!(
        bench.store.vmacs().get(row.id).await.expect("the row").desired.as_str(),
        "bound",
        "it was issued before"
    );
    let asked = issued(create("c-1", 1, &ip), row.created_at.timestamp_millis() + 1);
    bench.admit_all(&[asked]).await;
    assert_eq!(
        bench.store.vmacs().get(row.id).await.expect("the row").mac_address,
        row.mac_address,
        "it is answered with its MAC"
    );
}
