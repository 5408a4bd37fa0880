//! `docs/DATA-MODEL.md` has every table and column that the migrations make, and no others.

use std::collections::BTreeSet;

use sqlx::{Connection, SqliteConnection};
use vmacd::store::{Store, StoreOptions};

use super::{assert_none, root};
use crate::support::{run_dir, unique};

/// What the page says: `table.column`, from the headings and the first cells of the tables below each.
fn documented(page: &str) -> BTreeSet<String> {
    let sections = page.split("\n### `").skip(1).filter_map(|section| section.split_once('`'));
    let columns = |(table, section): (&str, &str)| {
        let section = section.split("\n## ").next().unwrap_or_default();
        let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
        let names = cells.flat_map(|cell| cell.split('`').step_by(2));
        names.map(|column| format!("{table}.{column}")).collect::<Vec<_>>()
    };
    sections.flat_map(columns).filter(|name| !name.ends_with('.')).collect()
}

/// What a new database has.
async fn migrated() -> BTreeSet<String> {
    let file = run_dir().join(unique("data-model")).with_extension("db");
    let url = format!("sqlite://{}", file.display());
    let store = Store::connect(&url, StoreOptions::default()).await.expect("a database");
    store.migrate().await.expect("tables");
    let sql = "SELECT t.name || '.' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE '_sqlx%'";
    let mut connection = SqliteConnection::connect(&url).await.expect("a database");
    sqlx::query_scalar(sql).fetch_all(&mut connection).await.expect("columns").into_iter().collect()
}

#[tokio::test]
async fn the_data_model_has_every_table_and_column_and_no_others() {
    let page = std::fs::read_to_string(root().join("docs/DATA-MODEL.md")).expect("docs/DATA-MODEL.md");
    let (documented, migrated) = (documented(&page), migrated().await);
    assert!(migrated.len() > 100, "{migrated:?}");
    assert_none("columns that docs/DATA-MODEL.md lacks", migrated.difference(&documented).cloned().collect());
    assert_none("columns that no table has", documented.difference(&migrated).cloned().collect());
}

#[test]
fn columns_are_read_from_the_first_cells() {
    let page = "# x\n\n## A\n\n### `t`\n\nKey: `id`.\n\n| column | what |\n|---|---|\n| `id`, `b` | the `c` |\n\n## B\n\n| `no` | x |\n";
    assert_eq!(documented(page), ["t.b", "t.id"].map(str::to_owned).into());
}
