//! `vmacd inventory`: switches and servers in and out; `remove` takes one away.
//!
//! `table` reads servers from what a spreadsheet saves, `tree` the whole inventory from JSON or TOML; `read` is what
//! both make, with the place of each entry, so that a conflict is reported with its line.

mod parsed;
mod remove;
mod table;
mod tree;

use std::path::Path;

use serde_json::json;

use crate::cli::access::change_log::note;
use crate::cli::app_env::AppEnv;
use crate::cli::args::InventoryVerb;
use crate::cli::fault::Fault;
use crate::cli::import_files::{self, FileKind, Problems};
use crate::cli::terminal::escape::printable;
use crate::cli::terminal::streams::say;
use crate::cli::ui::output::Output;
use crate::cli::ui::progress::Progress;
use crate::domain::{Inventory, inventory_conflicts, shared_network_cards};
use crate::store::{Store, StoreError};
use parsed::ParsedInventory;

/// Notes that are printed; the others are counted.
const NOTES_MAX: usize = 20;

pub async fn run(env: AppEnv, output: Output, verb: InventoryVerb) -> Result<(), Fault> {
    match verb {
        InventoryVerb::Import { file } => import(env, output, &file).await,
        InventoryVerb::Export => {
            let inventory = env.store().await?.inventory().export().await?;
            let text = serde_json::to_string_pretty(&inventory)?;
            output.item(&inventory, || text)
        }
        InventoryVerb::Remove { item } => remove::run(env, output, item).await,
    }
}

async fn import(env: AppEnv, output: Output, file: &Path) -> Result<(), Fault> {
    let mut problems = Problems::new(file);
    let read = read_file(file, &mut problems)?;
    if !problems.is_empty() {
        note_conflicts(env.store().await.ok(), &read, &mut problems).await;
        return Err(problems.into_fault());
    }
    let store = env.store_for_import().await?;
    let inventory = &read.inventory;
    let notes = shared_network_cards(inventory, &store.inventory().export().await?);
    let counts = json!({"switches": inventory.switches.len(), "servers": inventory.servers.len()});
    note(&store, "import_inventory", file.display(), counts).await?;
    let progress = Progress::new(output, "importing", inventory.switches.len() + inventory.servers.len());
    let imported = store.inventory().import_with(inventory, |done| progress.at(done)).await;
    progress.done();
    match imported {
        Ok(report) => {
            tell(&notes);
            output.item(&report, || {
                format!("{} added, {} updated, {} unchanged", report.added, report.updated, report.unchanged)
            })
        }
        Err(StoreError::Inventory(conflicts)) => {
            read.note(conflicts, &mut problems);
            Err(problems.into_fault())
        }
        Err(error) => Err(error.into()),
    }
}

fn tell(notes: &[String]) {
    notes.iter().take(NOTES_MAX).for_each(|note| say(&format!("note: {}", printable(note))));
    if notes.len() > NOTES_MAX {
        say(&format!("note: and {} more like these", notes.len() - NOTES_MAX));
    }
}

/// Reads an inventory file by its ending.
fn read_file(file: &Path, problems: &mut Problems) -> Result<ParsedInventory, Fault> {
    let Some(kind) = FileKind::of(file) else {
        let text = "unknown kind of file; expected .json or .toml, or .csv for servers";
        return Err(Fault::input(format!("{}: {text}", file.display())));
    };
    let text = import_files::read(file, problems)?;
    Ok(match kind {
        FileKind::Table => table::read(&text, problems),
        FileKind::Json => {
            import_files::json(&text, problems).map(|root| tree::read(&root, problems)).unwrap_or_default()
        }
        FileKind::Toml => {
            import_files::toml(&text, problems).map(|root| tree::read(&root, problems)).unwrap_or_default()
        }
    })
}

/// What else is wrong in a file that is refused already: with the database where it can be asked.
async fn note_conflicts(store: Option<Store>, read: &ParsedInventory, problems: &mut Problems) {
    let asked = match &store {
        Some(store) => store.inventory().conflicts(&read.inventory).await.ok(),
        None => None,
    };
    let conflicts = asked.unwrap_or_else(|| {
        let mut conflicts = inventory_conflicts(&read.inventory, &Inventory::default());
        // The database may know the switch.
        conflicts.retain(|conflict| conflict.field != "switch");
        conflicts
    });
    read.note(conflicts, problems);
}
