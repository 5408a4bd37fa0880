//! `vmacd sim`.

use super::control::socket::Control;
use super::error::SimError;
use super::estate::Estate;
use super::estate::inventory;
use super::estate::options::Options;

/// Starts the switches, writes the inventory where one is asked for, and serves until `shutdown` is done.
///
/// # Errors
/// [`SimError`] when the switches cannot start or the inventory cannot be written.
pub async fn run(options: Options, shutdown: impl Future<Output = ()>) -> Result<(), SimError> {
    let (inventory, control) = (options.inventory.clone(), options.control.clone());
    let estate = Estate::start(options).await?;
    if let Some(path) = &inventory {
        inventory::write(&estate.inventory_json(), path)?;
    }
    let control = match &control {
        Some(path) => Some(Control::bind(path).await?),
        None => None,
    };
    let first = estate.switches().first().map(|switch| switch.addr().to_string()).unwrap_or_default();
    tracing::info!(switches = estate.switches().len(), servers = estate.servers().len(), first, "ready");
    let handles = estate.switches().to_vec();
    let controlled = async {
        if let Some(control) = control {
            control.run(handles).await;
        }
        std::future::pending().await
    };
    tokio::select! {
        () = controlled => {}
        () = estate.run_until(shutdown) => {}
    }
    Ok(())
}
