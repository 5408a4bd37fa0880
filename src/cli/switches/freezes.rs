//! `vmacd freeze`, `vmacd thaw`, `vmacd freezes`: sites on whose switches nothing is committed.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::json;

use crate::cli::access::change_log::{note, person};
use crate::cli::app_env::AppEnv;
use crate::cli::args::{FreezeArgs, ThawArgs};
use crate::cli::fault::Fault;
use crate::cli::fault::did_you_mean;
use crate::cli::terminal::escape::or_dash;
use crate::cli::times::time_ahead;
use crate::cli::ui::output::Output;
use crate::cli::ui::style::{Cell, Tone};
use crate::domain::{Freeze, FreezeKind, FreezeOrder, Scope};
use crate::store::Store;

/// What `vmacd freeze` made, and what else keeps the same switches frozen.
#[derive(Serialize)]
struct Frozen {
    #[serde(flatten)]
    freeze: Freeze,
    also_frozen: Vec<Freeze>,
}

/// `vmacd freeze`
pub async fn freeze(env: AppEnv, output: Output, args: FreezeArgs) -> Result<(), Fault> {
    let store = env.store().await?;
    let now = store.now().await?;
    let order = FreezeOrder {
        site: args.site.scope(),
        until: time_ahead("--until", &args.until, now)?,
        reason: args.reason,
        made_by: person(),
    };
    let order = order.checked(now).map_err(|error| Fault::input(error.to_string()))?;
    did_you_mean::known_site(&store, &order.site).await?;
    note(&store, "freeze", &order.site, json!({"until": order.until, "reason": order.reason})).await?;
    let freeze = store.freezes().freeze(&order).await?;
    let others = store.freezes().list().await?.into_iter().filter(|other| *other != freeze);
    let also: Vec<Freeze> = others.filter(|other| other.site.meets(&freeze.site)).collect();
    let text = format!("{}: frozen {}{}", site_name(&freeze.site), freeze.end(), lines("also frozen", &also));
    output.item(&Frozen { freeze, also_frozen: also }, || text)
}

/// `vmacd thaw`
pub async fn thaw(env: AppEnv, output: Output, args: ThawArgs) -> Result<(), Fault> {
    let (site, store) = (args.site.scope(), env.store().await?);
    did_you_mean::known_site(&store, &site).await?;
    note(&store, "thaw", &site, json!({})).await?;
    let thawed = store.freezes().thaw(&site).await?;
    let still: Vec<Freeze> =
        store.freezes().list().await?.into_iter().filter(|freeze| freeze.site.meets(&site)).collect();
    let text = format!("{}: thawed{}{}", site_name(&site), lines("was frozen", &thawed), lines("still frozen", &still));
    output.item(&json!({"thawed": thawed, "still_frozen": still}), || text)
}

/// A line for each freeze.
fn lines(what: &str, freezes: &[Freeze]) -> String {
    freezes.iter().map(|freeze| format!("\n{}: {what} {}", site_name(&freeze.site), freeze.in_full())).collect()
}

/// `vmacd freezes`
pub async fn list(env: AppEnv, output: Output) -> Result<(), Fault> {
    let store: Store = env.store().await?;
    output.list(&store.freezes().list().await?, &["SITE", "UNTIL", "KIND", "BY", "SINCE", "REASON"], row)
}

fn row(freeze: &Freeze) -> Vec<Cell> {
    let (tone, until) = match freeze.kind {
        FreezeKind::Manual => (Tone::Waiting, second(freeze.until)),
        FreezeKind::Automatic => (Tone::Bad, "thawed".to_owned()),
    };
    vec![
        freeze.site.to_string().into(),
        Cell::new(tone, until),
        freeze.kind.as_str().into(),
        freeze.made_by.as_str().into(),
        second(freeze.made_at).into(),
        or_dash(freeze.reason.as_ref()).into(),
    ]
}

fn second(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn site_name(site: &Scope) -> String {
    match site {
        Scope::All => "all sites".to_owned(),
        Scope::Site(None) => "switches without a site".to_owned(),
        Scope::Site(Some(site)) => site.to_string(),
    }
}
