//! `vmacd reserve`, `vmacd release` and `vmacd reservations`: MACs kept for servers' addresses.

use serde_json::json;

use crate::cli::access::change_log::note;
use crate::cli::app_env::AppEnv;
use crate::cli::args::{ReleaseArgs, ReserveArgs};
use crate::cli::fault::Fault;
use crate::cli::terminal::escape::or_dash;
use crate::cli::ui::output::Output;
use crate::cli::ui::style::Cell;
use crate::domain::Mac;
use crate::store::{NewReservation, Reservation};

/// Reservations read at once.
const PAGE: i64 = 1_000;

/// `vmacd reserve`
pub async fn reserve(env: AppEnv, output: Output, args: ReserveArgs) -> Result<(), Fault> {
    let wanted = NewReservation {
        server_id: args.server,
        ip_address: args.ip,
        mac_address: args.mac.map(Mac::as_virtual).transpose()?,
        pool: args.pool,
    };
    let store = env.store().await?;
    let details = json!({"server_id": args.server, "mac_address": wanted.mac_address, "pool": wanted.pool});
    note(&store, "reserve", args.ip, details).await?;
    let reserved = store.mac_registry().reserve(&wanted, &mut rand::make_rng::<rand::rngs::StdRng>()).await?;
    let reservation = &reserved.reservation;
    let mut data = json!(reservation);
    data["is_new"] = reserved.is_new.into();
    output.item(&data, || reservation.mac_address.to_string())
}

/// `vmacd release`
pub async fn release(env: AppEnv, output: Output, args: ReleaseArgs) -> Result<(), Fault> {
    let store = env.store().await?;
    note(&store, "release", args.ip, json!({"server_id": args.server})).await?;
    let released = store.mac_registry().release(args.server, args.ip).await?;
    output.item(&released, || format!("{} is free again", released.mac_address))
}

/// `vmacd reservations`
pub async fn list(env: AppEnv, output: Output) -> Result<(), Fault> {
    let store = env.store().await?;
    let mut last = Some(None);
    let read = async || {
        let Some(after) = last else { return Ok(None) };
        let part = store.mac_registry().reservations(after, PAGE).await?;
        last = part.last().map(|reservation| Some(reservation.mac_address));
        Ok(Some(part))
    };
    output.stream(&["SERVER", "ADDRESS", "MAC", "POOL", "SINCE"], row, read).await
}

fn row(kept: &Reservation) -> Vec<Cell> {
    vec![
        kept.server_id.to_string().into(),
        kept.ip_address.to_string().into(),
        kept.mac_address.to_string().into(),
        or_dash(kept.pool.as_ref()).into(),
        kept.created_at.format("%Y-%m-%d %H:%M:%S").to_string().into(),
    ]
}
