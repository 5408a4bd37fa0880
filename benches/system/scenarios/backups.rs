//! A thousand backups of one switch with a large configuration: what they take in the database, and how long to read one.

use std::fmt::Write;
use std::time::Instant;

use sqlx::Connection;
use vmacd::store::{Store, StoreOptions};

use crate::options::Options;
use crate::report::stats::{median, percentile};
use crate::report::table::Row;
use crate::support::postgres::{Database, fresh_database};

const NAME: &str = "backups";
const SWITCH: &str = "sw-001";
const BYTES: usize = 500_000;
const GOAL_SMALLER: f64 = 50.0;
const GOAL_MS: f64 = 100.0;

pub async fn run(options: &Options) -> Vec<Row> {
    let count = options.of(200, 1_000, 1_000);
    let database = fresh_database().await;
    let store = Store::connect(&database.url(), StoreOptions::default()).await.expect("the database");
    store.migrate().await.expect("migrated");
    let (configurations, saving_ms) = save(&store, count).await;
    let raw: usize = configurations.iter().map(|(_, text)| text.len()).sum();
    let switch = SWITCH.parse().expect("a name");
    let kept = store.backups().list(&switch, i64::MAX, count as i64).await.expect("a list");
    // Each content differs from all others: nothing is counted twice.
    let stored: i64 = kept.iter().map(|backup| backup.stored_bytes).sum();
    let reading_ms = read(&store, &configurations).await;
    let smaller = raw as f64 / stored as f64;
    let slowest = percentile(&reading_ms, 1.0);
    let on_disk = on_disk(&database).await;
    let conditions = format!("{count} backups of {} KB, each with one binding more, through the store", BYTES / 1_000);
    let mb = |bytes: f64| format!("{:.1} MB", bytes / 1e6);
    vec![
        Row::goal(
            NAME,
            "stored / raw",
            format!("1/{smaller:.0}: {} of {}", mb(stored as f64), mb(raw as f64)),
            "<= 1/50",
            smaller >= GOAL_SMALLER,
            &conditions,
        ),
        Row::context(NAME, "the tables on disk", mb(on_disk), "with their indexes, as Postgres says"),
        Row::goal(
            NAME,
            "slowest restore of all",
            format!("{slowest:.0} ms; median {:.1} ms", median(&reading_ms)),
            "< 100 ms",
            slowest < GOAL_MS,
            "each read back whole and compared",
        ),
        Row::context(
            NAME,
            "keeping one, median / p99",
            format!("{:.1} / {:.1} ms", median(&saving_ms), percentile(&saving_ms, 0.99)),
            &conditions,
        ),
    ]
}

/// Keeps so many; gives what was kept with its number, and the milliseconds each took.
async fn save(store: &Store, count: usize) -> (Vec<(i64, String)>, Vec<f64>) {
    let switch = SWITCH.parse().expect("a name");
    let mut configuration = Configuration::of(BYTES);
    let (mut kept, mut took_ms) = (Vec::new(), Vec::new());
    for number in 0..count {
        let text = configuration.text();
        let began = Instant::now();
        let id = store.backups().save(&switch, text.as_bytes(), &format!("push-{number}")).await.expect("kept");
        took_ms.push(began.elapsed().as_secs_f64() * 1000.0);
        kept.push((id, text));
        configuration.bind();
    }
    (kept, took_ms)
}

async fn read(store: &Store, configurations: &[(i64, String)]) -> Vec<f64> {
    let mut took_ms = Vec::new();
    for (id, text) in configurations {
        let began = Instant::now();
        let (_, content) = store.backups().get(*id).await.expect("read");
        took_ms.push(began.elapsed().as_secs_f64() * 1000.0);
        assert!(content == text.as_bytes(), "backup {id} came back as something else");
    }
    took_ms
}

async fn on_disk(database: &Database) -> f64 {
    let sql = "SELECT (pg_total_relation_size('config_contents') + pg_total_relation_size('config_backups'))::float8";
    let mut connection = database.connect().await;
    let bytes = sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a size");
    let _ = connection.close().await;
    bytes
}

/// A switch's configuration in braces: ports, each with its bindings.
struct Configuration {
    ports: Vec<Vec<String>>,
}

impl Configuration {
    /// About so large, four fifths of it bindings.
    fn of(bytes: usize) -> Self {
        let mut configuration = Self { ports: vec![Vec::new(); 384] };
        while configuration.text().len() < bytes {
            (0..200).for_each(|_| configuration.bind());
        }
        configuration
    }

    /// One binding more, on any port.
    fn bind(&mut self) {
        let port = rand::random_range(0..self.ports.len());
        let number = self.ports[port].len();
        let [a, b, c, d, e]: [u8; 5] = rand::random();
        let mac = format!("02:{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}");
        let ip = format!("10.{}.{}.{}", port / 250, port % 250, number + 2);
        self.ports[port].push(format!("            static-ip {ip} {{\n                vlan VLAN.{};\n                mac {mac};\n            }}\n", 13 + port / 24));
    }

    fn text(&self) -> String {
        let mut text = String::with_capacity(BYTES + BYTES / 10);
        text.push_str("system {\n    host-name sw-001;\n}\ninterfaces {\n");
        for port in 0..self.ports.len() {
            let (member, at) = (port / 48, port % 48);
            let _ = write!(
                text,
                "    ge-{member}/0/{at} {{\n        description \"server port {port}\";\n        unit 0 {{\n            family ethernet-switching {{\n                port-mode access;\n            }}\n        }}\n    }}\n"
            );
        }
        text.push_str("}\nethernet-switching-options {\n    secure-access-port {\n");
        for (port, bindings) in self.ports.iter().enumerate() {
            let _ = writeln!(text, "        interface ge-{}/0/{}.0 {{", port / 48, port % 48);
            bindings.iter().for_each(|binding| text.push_str(binding));
            text.push_str("        }\n");
        }
        text.push_str("    }\n}\n");
        text
    }
}
