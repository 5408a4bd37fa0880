//! The public contract: tables, columns, queues, exchanges and flags stand under their names.

use sqlx::Row;

use super::world::World;
use crate::support::Rabbit;
use crate::support::postgres::fresh_database;
use crate::support::vmacd::{Settings, run};

const TABLES: &[&str] = &[
    "virtual_macs",
    "switches",
    "servers",
    "server_ports",
    "commands",
    "events",
    "switch_leases",
    "pushes",
    "config_backups",
    "dead_letters",
];
const COLUMNS: &[&str] = &[
    "id",
    "server_id",
    "ip_address",
    "mac_address",
    "vlan_name",
    "status",
    "desired",
    "switch_bindings",
    "failure_code",
    "failure_text",
    "attempts",
    "requested_by",
    "reference",
    "created_at",
    "updated_at",
    "activated_at",
    "revoked_at",
];

#[tokio::test]
async fn tables_and_columns_stand_under_their_names() {
    let database = fresh_database().await;
    run(&["migrate"], &Settings::new().set("VMACD_DATABASE_URL", database.url())).await.ok();
    let mut connection = database.connect().await;
    let names = |rows: Vec<sqlx::postgres::PgRow>| rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>();
    let tables = names(
        sqlx::query("SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'")
            .fetch_all(&mut connection)
            .await
            .expect("tables"),
    );
    let columns = names(
        sqlx::query("SELECT column_name::text FROM information_schema.columns WHERE table_name = 'virtual_macs'")
            .fetch_all(&mut connection)
            .await
            .expect("columns"),
    );
    assert!(TABLES.iter().all(|name| tables.iter().any(|table| table == name)), "{tables:?}");
    assert!(COLUMNS.iter().all(|name| columns.iter().any(|column| column == name)), "{columns:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_and_exchanges_stand_under_their_names() {
    let world = World::real(1, 1).await;
    let _worker = world.serve().await;
    let (_connection, channel) = Rabbit::shared().channel().await;
    for queue in ["vmac.commands", "vmac.dead"] {
        let name = format!("{}{queue}", world.namespace);
        let options = lapin::options::QueueDeclareOptions { passive: true, ..Default::default() };
        channel.queue_declare(name.as_str().into(), options, Default::default()).await.expect(queue);
    }
    for exchange in ["vmac.commands", "vmac.events"] {
        let name = format!("{}{exchange}", world.namespace);
        let options = lapin::options::ExchangeDeclareOptions { passive: true, ..Default::default() };
        let kind = lapin::ExchangeKind::Topic;
        channel.exchange_declare(name.as_str().into(), kind, options, Default::default()).await.expect(exchange);
    }
}
