//! Files that people bring: taken whole or not at all, with everything that is wrong told at once.

use serde_json::{Value, json};

use crate::support::vmacd::{Output, Settings, run};
use crate::support::{run_dir, unique};

/// An empty database that knows one switch.
struct Desk {
    settings: Settings,
}

impl Desk {
    async fn new() -> Self {
        let database = run_dir().join(unique("imports")).with_extension("db");
        let settings = Settings::new().set("VMACD_DATABASE_URL", format!("sqlite://{}", database.display()));
        run(&["migrate"], &settings).await.ok();
        let desk = Self { settings };
        desk.inventory("json", br#"{"switches": [{"name": "sw-a1", "host": "192.0.2.250"}]}"#).await.ok();
        desk
    }

    async fn inventory(&self, ending: &str, bytes: &[u8]) -> Output {
        run(&["inventory", "import", &file(ending, bytes)], &self.settings).await
    }

    async fn macs(&self, ending: &str, bytes: &[u8]) -> Output {
        run(&["macs", "import", &file(ending, bytes), "--format", "netbox"], &self.settings).await
    }

    /// The ids and numbers of ports of the servers that the database has.
    async fn servers(&self) -> Vec<(i64, usize)> {
        let inventory = run(&["inventory", "export", "--json"], &self.settings).await.json();
        let server = |server: &Value| {
            (server["id"].as_i64().unwrap_or_default(), server["ports"].as_array().map_or(0, Vec::len))
        };
        inventory["servers"].as_array().map(|servers| servers.iter().map(server).collect()).unwrap_or_default()
    }
}

fn file(ending: &str, bytes: &[u8]) -> String {
    let file = run_dir().join(unique("brought")).with_extension(ending);
    std::fs::write(&file, bytes).expect("written");
    file.display().to_string()
}

const HEADER: &str = "id,pxe_mac,primary_ip,vlan_name,switch,interface\n";

#[track_caller]
fn assert_refused(output: &Output, told: &[&str]) {
    assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{output:?}");
    for text in told {
        assert!(output.stderr.contains(text), "{text}: {}", output.stderr);
    }
    assert!(!output.stderr.contains("constraint"), "{}", output.stderr);
}

#[tokio::test]
async fn what_spreadsheets_and_editors_save_is_imported() {
    let desk = Desk::new().await;
    let semicolons = "\u{feff}id;pxe_mac;primary_ip;vlan_name;switch;interface\r\n\
                      3;00-00-5E-00-53-03;192.0.2.3;;sw-a1;ge-0/0/3\r\n;;;;;\r\n";
    let tabs = "ID\tPXE MAC\tPrimary IP\tSwitch\tInterface\t\r\n4\t0000.5e00.5304\t\tsw-a1\tge-0/0/4\t\r\n";
    let utf16: Vec<u8> = std::iter::once(0xfeff).chain(tabs.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let json = "\u{feff}{\"servers\": [{\"id\": 5, \"pxe_mac\": \"00:00:5e:00:53:05\",\r\n \
                \"ports\": [{\"switch\": \"sw-a1\", \"interface\": \"ge-0/0/5\"}]}]}";
    for (ending, bytes) in [("csv", semicolons.as_bytes()), ("txt", utf16.as_slice()), ("JSON", json.as_bytes())] {
        assert_eq!(desk.inventory(ending, bytes).await.ok(), "1 added, 0 updated, 0 unchanged\n");
    }
    assert_eq!(desk.servers().await, [(3, 1), (4, 1), (5, 1)]);
}

#[tokio::test]
async fn two_machines_with_one_id_and_a_line_twice_are_refused_by_their_lines() {
    let desk = Desk::new().await;
    let line = "8,00:00:5e:00:53:08,192.0.2.8,,sw-a1,ge-0/0/8\n";
    let two = format!("{HEADER}{line}8,00:00:5e:00:53:09,192.0.2.9,,sw-a1,ge-0/0/9\n");
    let told = [", line 3, pxe_mac: server 8 has the PXE MAC 00:00:5e:00:53:09 here and", ", line 3, primary_ip: "];
    assert_refused(&desk.inventory("csv", two.as_bytes()).await, &told);
    let twice = format!("{HEADER}{line}{line}");
    let told = [", line 3, interface: server 8: the port sw-a1 ge-0/0/8 is named twice; keep one (first in line 2)"];
    assert_refused(&desk.inventory("csv", twice.as_bytes()).await, &told);
    assert!(desk.servers().await.is_empty());
}

#[tokio::test]
async fn a_network_card_that_another_server_in_the_database_has_is_told() {
    let desk = Desk::new().await;
    let first = desk.inventory("csv", format!("{HEADER}1,00:00:5e:00:53:01,,,sw-a1,ge-0/0/1\n").as_bytes()).await;
    assert_eq!(first.stderr, "");
    let second = desk.inventory("csv", format!("{HEADER}2,00:00:5e:00:53:01,,,sw-a1,ge-0/0/2\n").as_bytes()).await;
    assert!(second.stderr.contains("note: server 2 has the PXE MAC 00:00:5e:00:53:01 of server 1"), "{second:?}");
    assert_eq!(second.ok(), "1 added, 0 updated, 0 unchanged\n");
}

#[tokio::test]
async fn a_file_is_imported_whole_or_not_at_all_and_all_its_errors_are_told_at_once() {
    let desk = Desk::new().await;
    desk.inventory("csv", format!("{HEADER}1,00:00:5e:00:53:01,192.0.2.1,,sw-a1,ge-0/0/1\n").as_bytes()).await.ok();
    let many: String = (0..40).map(|number| format!("{number}x,00:00:5e:00:54:00,,,sw-a1,ge-0/0/9\r\n")).collect();
    let text = format!(
        "{}2,00:00:5e:00:53:02,192.0.2.2,,sw-a1,ge-0/0/2\r\n3,00:00:5e:00:53:03,192.0.2.1,,sw-z,ge-0/0/3\r\n{many}",
        HEADER.replace('\n', "\r\n")
    );
    let refused = desk.inventory("csv", text.as_bytes()).await;
    let told = [
        "nothing was imported, 42 problems found",
        ", line 3, primary_ip: server 3: server 1 has the primary address 192.0.2.1 in the database",
        ", line 3, switch: server 3 has a port on sw-z",
        ", line 4, id: `0x` is not a whole number",
        ", line 43, id: `39x` is not a whole number",
    ];
    assert_refused(&refused, &told);
    assert_eq!(desk.servers().await, [(1, 1)]);
    let json = r#"{"servers": [
        {"id": 2, "pxe_mac": "00:00:5e:00:53:02"},
        {"id": 3, "pxe_mac": "xx",
         "ports": [{"switch": "sw-a1"}]}]}"#;
    let file = file("json", json.as_bytes());
    let refused = run(&["inventory", "import", &file, "--json"], &desk.settings).await;
    let told: Value = serde_json::from_str(&refused.stderr).expect("JSON");
    let places: Vec<Value> = told["problems"].as_array().expect("problems").iter().map(place).collect();
    let expected = [json!([file, 3, "servers[1].pxe_mac"]), json!([file, 4, "servers[1].ports[0].interface"])];
    assert_eq!(places, expected, "{told}");
    assert_eq!(desk.servers().await, [(1, 1)]);
}

fn place(problem: &Value) -> Value {
    json!([problem["file"], problem["line"], problem["field"]])
}

#[tokio::test]
async fn every_mac_of_an_export_of_netbox_is_imported_and_a_page_of_several_is_refused() {
    let desk = Desk::new().await;
    let table = "Name,Device,Label,Enabled,Type,Primary MAC,MAC Addresses,Description\r\n\
                 eth0,host-1,,True,1000BASE-T (1GE),00:00:5E:00:53:21,\"00:00:5E:00:53:21,00:00:5E:00:53:22\",uplink\r\n\
                 lo,host-1,,True,Virtual,,,\r\n";
    assert_eq!(desk.macs("csv", table.as_bytes()).await.ok(), "2 added, 0 unchanged, 0 in conflict\n");
    let interfaces = json!([{"id": 1, "mac_address": "00:00:5E:00:53:31",
        "primary_mac_address": {"id": 7, "mac_address": "00:00:5E:00:53:31"},
        "mac_addresses": [{"id": 7, "mac_address": "00:00:5E:00:53:31"}, {"id": 8, "mac_address": "00:00:5E:00:53:32"}]}]);
    let text = format!("\u{feff}{interfaces}");
    assert_eq!(desk.macs("json", text.as_bytes()).await.ok(), "2 added, 0 unchanged, 0 in conflict\n");
    let entry = json!({"id": 1, "display": "00:00:5E:00:53:41", "mac_address": "00:00:5E:00:53:41"});
    let page =
        json!({"count": 120, "next": "https://netbox.example.net/?offset=1", "previous": null, "results": [entry]});
    let refused = desk.macs("json", page.to_string().as_bytes()).await;
    assert_refused(&refused, &["is one page of several, with 1 of 120 entries", "fetch all pages"]);
    let whole = json!({"count": 1, "next": null, "previous": null, "results": [entry]});
    let told = desk.macs("json", whole.to_string().as_bytes()).await.ok();
    assert_eq!(told, "1 added, 0 unchanged, 0 in conflict\n", "nothing of the page was imported before");
}
