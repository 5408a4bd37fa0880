//! The table of ports: in line with what the rows say whatever is done to them, and the index of the searches by port.

use std::collections::BTreeSet;

use vmacd::domain::adopt::{Adoptable, FoundPort};
use vmacd::store::{Vmac, VmacFilter};

use super::bench::{Bench, create, issued, join, revoke, rotate, switch, take};

on_both_engines! {
    the_table_of_ports_says_what_the_rows_say_whatever_is_done_to_them,
    a_port_that_names_no_server_follows_its_row_to_another,
    rows_of_older_tables_get_their_ports,
    searches_by_switch_and_by_server_use_the_index_of_ports,
}

const IP: &str = "10.0.1.10";

/// Switch, row, interface and server of every port, by what the rows say.
async fn by_rows(bench: &Bench) -> BTreeSet<String> {
    let rows = bench.store.vmacs().find(&VmacFilter::default()).await.expect("rows");
    let of_row = |row: &Vmac| {
        let line = |port: &_| line(row, port);
        row.switch_bindings.iter().map(line).collect::<Vec<_>>()
    };
    rows.iter().flat_map(of_row).collect()
}

fn line(row: &Vmac, port: &vmacd::domain::SwitchBinding) -> String {
    format!("{} {} {} {}", port.switch, row.id, port.interface, row.server_of(port))
}

/// The same, by the table.
async fn by_table(bench: &Bench) -> BTreeSet<String> {
    let sql = "SELECT switch || ' ' || vmac_id || ' ' || interface || ' ' || server_id FROM virtual_mac_ports";
    bench.texts(sql).await.into_iter().collect()
}

async fn same(bench: &Bench, after: &str, ports: usize) {
    let (rows, table) = (by_rows(bench).await, by_table(bench).await);
    assert_eq!(rows, table, "after {after}");
    assert_eq!(table.len(), ports, "after {after}: {table:?}");
}

fn found() -> Adoptable {
    let on = |name: &str| FoundPort { switch: switch(name), interface: "ge-0/0/3.0".parse().expect("an interface") };
    Adoptable {
        server_id: 3,
        ip_address: "10.0.3.77".parse().expect("an address"),
        mac_address: "00:50:56:00:00:77".parse().expect("a MAC"),
        vlan_name: None,
        ports: vec![on("sw-a"), on("sw-b")],
    }
}

async fn the_table_of_ports_says_what_the_rows_say_whatever_is_done_to_them(bench: &Bench) {
    bench.admit_all(&[create("m-1", 1, IP), create("m-2", 3, "10.0.3.10"), join("m-3", 2, "10.0.9.9", "lb")]).await;
    same(bench, "creates, one of a server with two ports", 4).await;
    for name in ["sw-a", "sw-b"] {
        bench.settle(name).await;
    }
    same(bench, "pushes", 4).await;
    bench.admit(take("m-4", 1, 2, IP)).await;
    same(bench, "a move: the port that is left stays until it is clean", 5).await;
    bench.admit(join("m-5", 1, "10.0.9.9", "lb")).await;
    same(bench, "a second server in the group", 6).await;
    for name in ["sw-a", "sw-b", "sw-a"] {
        bench.settle(name).await;
    }
    bench.admit(rotate("m-6", 3, "10.0.3.10")).await;
    bench.admit(issued(take("m-7", 2, 3, IP), 4_000)).await;
    same(bench, "a second move: the port that was left first is forgotten", 7).await;
    bench.admit(issued(revoke("m-8", 3, IP), 5_000)).await;
    for name in ["sw-a", "sw-b"] {
        bench.settle(name).await;
    }
    same(bench, "a revoke", 7).await;
    bench.admit(issued(create("m-9", 1, IP), 6_000)).await;
    bench.store.vmacs().adopt(std::slice::from_ref(&found())).await.expect("adopted");
    let (rows, table) = (by_rows(bench).await, by_table(bench).await);
    assert_eq!(rows, table, "after a create of what was revoked, and an adoption");
}

/// As rows from before addresses could be shared have it.
async fn a_port_that_names_no_server_follows_its_row_to_another(bench: &Bench) {
    bench.execute(old_row(IP, 1)).await;
    same(bench, "a row", 1).await;
    bench.execute("UPDATE virtual_macs SET server_id = 2".to_owned()).await;
    same(bench, "another server", 1).await;
    let of_2 = VmacFilter { server_id: Some(2), ..VmacFilter::default() };
    assert_eq!(bench.store.vmacs().find(&of_2).await.expect("rows").len(), 1);
}

fn old_row(ip: &str, number: usize) -> String {
    let at = "2026-11-29T00:00:00Z";
    let mac = format!("02:5e:10:00:00:{number:02x}");
    let port = serde_json::json!({"switch": "sw-a", "interface": "ge-0/0/1.0", "mac": mac, "state": "bound", "at": at});
    format!(
        "INSERT INTO virtual_macs (server_id, ip_address, mac_address, status, desired, switch_bindings, created_at,
             updated_at)
         VALUES (1, '{ip}', '{mac}', 'active', 'bound', '[{port}]', '{at}', '{at}');"
    )
}

async fn rows_of_older_tables_get_their_ports(bench: &Bench) {
    let back = if bench.is_sqlite() {
        vec!["DROP TRIGGER ports_of_new_rows", "DROP TRIGGER ports_of_changed_rows", "DROP TABLE virtual_mac_ports"]
    } else {
        vec![
            "DROP FUNCTION virtual_mac_ports_add CASCADE",
            "DROP FUNCTION virtual_mac_ports_change CASCADE",
            "DROP TABLE virtual_mac_ports CASCADE",
        ]
    };
    for statement in back.into_iter().chain(["DELETE FROM _sqlx_migrations WHERE version = 21"]) {
        bench.execute(statement.to_owned()).await;
    }
    bench.admit_all(&[create("m-1", 1, IP), create("m-2", 3, "10.0.3.10"), join("m-3", 2, "10.0.9.9", "lb")]).await;
    bench.admit(take("m-4", 1, 2, IP)).await;
    bench.execute(old_row("10.0.7.7", 7)).await;
    bench.store.migrate().await.expect("newer tables");
    same(bench, "the migration", 6).await;
}

/// What every plan must have, for each engine: the index of ports, and then rows by their numbers.
fn assert_by_index(bench: &Bench, plan: &str, index: [&str; 2], row: &str) {
    let (index, row) = if bench.is_sqlite() {
        (index[0], format!("SEARCH {row} USING INTEGER PRIMARY KEY (rowid=?)"))
    } else {
        (index[1], "(id = ANY (".to_owned())
    };
    assert!(plan.contains(index) && plan.contains(&row), "{index}; {row}:\n{plan}");
    // On SQLite only the numbers that the index gave are read whole.
    let reads_all = ["Seq Scan on virtual_mac", "SCAN virtual_mac", "SCAN v\n"];
    assert!(!reads_all.iter().any(|scan| plan.contains(scan)), "{plan}");
}

async fn searches_by_switch_and_by_server_use_the_index_of_ports(bench: &Bench) {
    let by_switch = ["SEARCH virtual_mac_ports USING PRIMARY KEY (switch=?)", "virtual_mac_ports_pkey"];
    let by_server = ["virtual_mac_ports USING COVERING INDEX virtual_mac_ports_server (server_id=?)", "ports_server"];
    for newest_first in [true, false] {
        let all = VmacFilter { newest_first, limit: 100, ..VmacFilter::default() };
        let of_switch = VmacFilter { switch: Some(switch("sw-a")), ..all.clone() };
        let plan = bench.store.vmacs().plan_of_find_page(&of_switch).await.expect("a plan");
        assert_by_index(bench, &plan, by_switch, "virtual_macs");
        let plan =
            bench.store.vmacs().plan_of_find_page(&VmacFilter { server_id: Some(1), ..all }).await.expect("a plan");
        assert_by_index(bench, &plan, by_server, "virtual_macs");
    }
    let plan = bench.store.work().plan_of_wanted_on(&switch("sw-a")).await.expect("a plan");
    assert_by_index(bench, &plan, by_switch, "v");
}
