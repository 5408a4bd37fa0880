//! Lists of virtual MACs: exact filters, true counts, pages that are full until the last, and what a search finds.

use std::collections::BTreeSet;

use serde_json::json;
use vmacd::domain::{BindableAddress, Search};
use vmacd::store::{DeadLetterFilter, VmacFilter};

use super::bench::{Bench, create};

on_both_engines! {
    pages_of_a_filtered_list_are_full_and_lose_nothing,
    a_servers_number_within_another_is_not_that_server,
    a_switchs_name_within_another_or_like_it_is_not_that_switch,
    a_search_finds_parts_and_no_patterns,
    dead_letters_are_counted_and_come_newest_first,
}

/// One row behind the store's back.
struct Line<'a> {
    ip: &'a str,
    number: usize,
    server: i64,
    switch: &'a str,
    /// The server of the port, in a group.
    member: Option<i64>,
    reference: &'a str,
}

impl<'a> Line<'a> {
    fn new(ip: &'a str, number: usize) -> Self {
        Self { ip, number, server: 1, switch: "sw-a", member: None, reference: "" }
    }

    fn sql(&self) -> String {
        let at = "2026-11-29T00:00:00Z";
        let mac = format!("02:5e:10:00:{:02x}:{:02x}", self.number / 256, self.number % 256);
        let mut port =
            json!({"switch": self.switch, "interface": "ge-0/0/1.0", "mac": mac, "state": "bound", "at": at});
        if let Some(member) = self.member {
            port["server_id"] = member.into();
        }
        let group = if self.member.is_some() { "'lb-7'" } else { "NULL" };
        format!(
            "INSERT INTO virtual_macs (server_id, ip_address, mac_address, status, desired, switch_bindings, reference,
                 group_name, created_at, updated_at)
             VALUES ({}, '{}', '{mac}', 'active', 'bound', '{}', '{}', {group}, '{at}', '{at}');",
            self.server,
            self.ip,
            json!([port]),
            self.reference
        )
    }
}

async fn insert(bench: &Bench, lines: &[Line<'_>]) {
    bench.execute(lines.iter().map(Line::sql).collect()).await;
}

async fn found(bench: &Bench, filter: &VmacFilter) -> Vec<String> {
    let rows = bench.store.vmacs().find(filter).await.expect("rows");
    assert_eq!(
        bench.store.vmacs().count(filter).await.expect("a count"),
        i64::try_from(rows.len()).expect("few"),
        "{filter:?}"
    );
    rows.iter().map(|row| row.ip_address.to_string()).collect()
}

async fn pages_of_a_filtered_list_are_full_and_lose_nothing(bench: &Bench) {
    let addresses: Vec<String> = (0..30).map(|number| format!("10.0.9.{number}")).collect();
    // As a pattern, the second name would be the first one too.
    let switch = |number: usize| ["sw-a", "sw_a", "sw-b"][number % 3];
    let line = |number: usize| Line { switch: switch(number), ..Line::new(&addresses[number], number) };
    insert(bench, &(0..30).map(line).collect::<Vec<_>>()).await;
    let all = VmacFilter { switch: Some("sw_a".parse().expect("a name")), newest_first: true, ..VmacFilter::default() };
    let mut filter = VmacFilter { limit: 4, ..all.clone() };
    let (mut pages, mut seen) = (Vec::new(), BTreeSet::<BindableAddress>::new());
    loop {
        let page = bench.store.vmacs().find(&filter).await.expect("rows");
        let Some(last) = page.last() else { break };
        filter.after_id = last.id;
        pages.push(page.len());
        seen.extend(page.iter().map(|row| row.ip_address));
    }
    assert_eq!((pages, seen.len()), (vec![4, 4, 2], 10));
    assert_eq!(bench.store.vmacs().count(&filter).await.expect("a count"), 10, "wherever the list begins");
    assert_eq!(found(bench, &all).await.first(), addresses.get(28), "newest first");
}

async fn a_servers_number_within_another_is_not_that_server(bench: &Bench) {
    let of = |ip, number, member| Line { server: 900, member: Some(member), ..Line::new(ip, number) };
    let own = |ip, number, server| Line { server, ..Line::new(ip, number) };
    let shared = [of("10.0.9.1", 1, 12), of("10.0.9.2", 2, 1), of("10.0.9.3", 3, 121), of("10.0.9.5", 5, 11)];
    insert(bench, &shared).await;
    insert(bench, &[Line::new("10.0.9.4", 4), own("10.0.9.6", 6, 11), own("10.0.9.7", 7, 111)]).await;
    let server = |id| VmacFilter { server_id: Some(id), ..VmacFilter::default() };
    assert_eq!(found(bench, &server(12)).await, ["10.0.9.1"]);
    assert_eq!(found(bench, &server(1)).await, ["10.0.9.2", "10.0.9.4"]);
    assert_eq!(found(bench, &server(11)).await, ["10.0.9.5", "10.0.9.6"]);
}

async fn a_switchs_name_within_another_or_like_it_is_not_that_switch(bench: &Bench) {
    // The second and third are what `_` stands for in a pattern, the others differ by a letter, its case or an end.
    let names = ["sw_1", "sw-1", "swx1", "SW_1", "sw_11", "asw_1", "sw_1.a", "sw_"];
    let addresses: Vec<String> = (0..names.len()).map(|number| format!("10.0.9.{number}")).collect();
    let line = |number: usize| Line { switch: names[number], ..Line::new(&addresses[number], number) };
    insert(bench, &(0..names.len()).map(line).collect::<Vec<_>>()).await;
    for (name, address) in names.iter().zip(&addresses) {
        let switch = Some(name.parse().expect("a name"));
        let filter = VmacFilter { switch, ..VmacFilter::default() };
        assert_eq!(found(bench, &filter).await, std::slice::from_ref(address), "{name}");
    }
    assert!("sw%1".parse::<vmacd::domain::SwitchName>().is_err(), "no name has what stands for any text");
}

async fn a_search_finds_parts_and_no_patterns(bench: &Bench) {
    let line = |ip, number, reference| Line { reference, ..Line::new(ip, number) };
    insert(
        bench,
        &[
            line("10.0.48.6", 1, "order 7781"),
            line("10.0.48.60", 2, "Order 7782"),
            line("10.1.4.86", 300, "100%"),
            Line { server: 1042, ..line("110.0.48.6", 4, "") },
            line("2001:db8:48::6", 5, ""),
            line("2001:db8::6", 6, ""),
        ],
    )
    .await;
    for (text, expected) in [
        ("10.0.48.", vec!["10.0.48.6", "10.0.48.60"]),
        ("48.6", vec!["10.0.48.6", "10.0.48.60", "110.0.48.6"]),
        ("8.6", vec![]),
        ("10.0.48.0/24", vec!["10.0.48.6", "10.0.48.60"]),
        ("10.0.48.0/26", vec!["10.0.48.6", "10.0.48.60"]),
        ("10.0.48.4/30", vec!["10.0.48.6"]),
        ("10.0.48.6/32", vec!["10.0.48.6"]),
        ("10.0.0.0/9", vec!["10.0.48.6", "10.0.48.60", "10.1.4.86"]),
        ("10.0.0.0/15", vec!["10.0.48.6", "10.0.48.60", "10.1.4.86"]),
        ("8.0.0.0/6", vec!["10.0.48.6", "10.0.48.60", "10.1.4.86"]),
        ("0.0.0.0/0", vec!["10.0.48.6", "10.0.48.60", "10.1.4.86", "110.0.48.6"]),
        ("2001:db8:48::/48", vec!["2001:db8:48::6"]),
        ("2001:db8::/32", vec!["2001:db8:48::6", "2001:db8::6"]),
        ("2001:db8:48", vec!["2001:db8:48::6"]),
        ("02:5e:10:00:01", vec!["10.1.4.86"]),
        ("025E.1000.012", vec!["10.1.4.86"]),
        ("order 778", vec!["10.0.48.6", "10.0.48.60"]),
        ("7781", vec!["10.0.48.6"]),
        ("1042", vec!["110.0.48.6"]),
        ("%", vec!["10.1.4.86"]),
        ("_", vec![]),
        ("order_7781", vec![]),
        ("' OR 1 = 1 --", vec![]),
    ] {
        let filter = VmacFilter { search: Search::of(text), ..VmacFilter::default() };
        assert_eq!(found(bench, &filter).await, expected, "{text}");
    }
    bench.admit(create("order-9001", 2, "10.0.2.9")).await;
    let by_message = VmacFilter { search: Search::of("order-9001"), ..VmacFilter::default() };
    assert_eq!(found(bench, &by_message).await, ["10.0.2.9"], "by the id of its message");
    let switches = async |text: &str| {
        let names = bench.store.switches().named_like(text, 10).await.expect("names");
        names.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(switches("SW-").await, ["sw-a", "sw-b"]);
    assert_eq!(switches("sw_").await, Vec::<String>::new());
}

async fn dead_letters_are_counted_and_come_newest_first(bench: &Bench) {
    for number in 1..=5 {
        bench.admit(create(&format!("order-{number}"), 999, &format!("10.0.9.{number}"))).await;
    }
    let ids = async |filter: &DeadLetterFilter| {
        let letters = bench.store.dead_letters().list(filter).await.expect("letters");
        letters.iter().filter_map(|letter| letter.message_id.clone()).collect::<Vec<_>>()
    };
    let mut filter = DeadLetterFilter { newest_first: true, limit: 2, ..DeadLetterFilter::default() };
    assert_eq!(ids(&filter).await, ["order-5", "order-4"]);
    filter.after_id = bench.store.dead_letters().list(&filter).await.expect("letters")[1].id;
    assert_eq!(ids(&filter).await, ["order-3", "order-2"]);
    assert_eq!(bench.store.dead_letters().count(&filter).await.expect("a count"), 5);
    let Some(Search::Text(search)) = Search::of("ORDER-3") else { panic!("a text") };
    let filter = DeadLetterFilter { search: Some(search), ..DeadLetterFilter::default() };
    assert_eq!(
        (ids(&filter).await, bench.store.dead_letters().count(&filter).await.ok()),
        (vec!["order-3".to_owned()], Some(1))
    );
}
