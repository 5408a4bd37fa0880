//! `vmacd history`: everybody who ever had an address, or who had it at a time.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::cli::app_env::AppEnv;
use crate::cli::args::HistoryArgs;
use crate::cli::fault::Fault;
use crate::cli::terminal::escape::or_dash;
use crate::cli::terminal::streams::say;
use crate::cli::ui::output::Output;
use crate::cli::ui::style::{Cell, Tone};
use crate::domain::BindableAddress;
use crate::store::{AddressHolder, AskedBy, HolderChange};

const COLUMNS: &[&str] = &["FROM", "UNTIL", "SERVER", "MAC", "PORTS", "BEGAN", "ENDED"];

pub async fn run(env: AppEnv, output: Output, args: HistoryArgs) -> Result<(), Fault> {
    let ip: BindableAddress = args.ip.parse()?;
    let at = args.at.as_deref().map(moment).transpose()?;
    let holders = env.store().await?.vmacs().history(ip, at).await?;
    if holders.is_empty() && !output.json {
        match at {
            Some(at) => say(&format!("{ip} had no virtual MAC at {}", exact(at))),
            None => say(&format!("{ip} never had a virtual MAC")),
        }
        return Ok(());
    }
    output.list(&holders, COLUMNS, row)
}

/// A time as people write it: with or without a zone, or a day.
fn moment(text: &str) -> Result<DateTime<Utc>, Fault> {
    let day = format!("{text}T00:00:00Z");
    let parsed = text.parse().or_else(|_| day.parse());
    parsed.map_err(|_| Fault::input(format!("--at {text}: expected a time such as 2026-03-01T12:00:00Z, or a day such as 2026-03-01, which is its beginning in UTC")))
}

fn exact(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn row(holder: &AddressHolder) -> Vec<Cell> {
    let ports: Vec<String> = holder.ports.iter().map(ToString::to_string).collect();
    let until = match holder.until {
        Some(until) => Cell::new(Tone::Past, exact(until)),
        None => Cell::new(Tone::Good, "now"),
    };
    let never = if holder.was_active == Some(false) { ", never active" } else { "" };
    vec![
        exact(holder.from).into(),
        until,
        holder.server_id.to_string().into(),
        holder.mac_address.to_string().into(),
        or_dash((!ports.is_empty()).then(|| ports.join(" ")).as_ref()).into(),
        format!("{}{never}", change(holder.began, &holder.began_by)).into(),
        or_dash(holder.ended.map(|ended| change(ended, &holder.ended_by)).as_ref()).into(),
    ]
}

fn change(change: HolderChange, by: &AskedBy) -> String {
    let AskedBy { requested_by, reference } = by;
    let by = requested_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let reference = reference.as_ref().map(|reference| format!(" ({reference})")).unwrap_or_default();
    format!("{}{by}{reference}", change.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_beginning_and_what_is_no_time_is_refused() {
        let told = |text: &str| moment(text).map(exact).map_err(|fault| fault.text());
        assert_eq!(told("2026-03-01").as_deref(), Ok("2026-03-01T00:00:00Z"));
        assert_eq!(told("2026-03-01T12:00:00+02:00").as_deref(), Ok("2026-03-01T10:00:00Z"));
        assert!(told("yesterday").is_err_and(|error| error.contains("--at yesterday: expected a time")));
    }
}
