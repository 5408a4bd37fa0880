//! Unknown names: suggests the nearest known one, or the command that lists all.

use super::Fault;
use crate::domain::{Code, Failure, Scope, SwitchName};
use crate::store::{KnownSwitch, Store, StoreError};

/// How alike a name must be to be suggested: 1 is the same (Jaro-Winkler).
const ALIKE: f64 = 0.8;

/// The switch of this name.
pub async fn known_switch(store: &Store, name: &SwitchName) -> Result<KnownSwitch, Fault> {
    let error = match store.switches().get(name).await {
        Err(error @ StoreError::NotFound { .. }) => error,
        known => return Ok(known?),
    };
    let names: Vec<String> = store.switches().list().await?.iter().map(|known| known.switch.name.to_string()).collect();
    let hint = did_you_mean(name.as_str(), &names);
    Err(Fault::from(error).with_hint(hint.unwrap_or_else(|| match names.is_empty() {
        true => "the inventory is empty: `vmacd inventory import FILE` fills it".to_owned(),
        false => "`vmacd switches list` lists all switches".to_owned(),
    })))
}

/// Refuses a site without switches.
pub async fn known_site(store: &Store, site: &Scope) -> Result<(), Fault> {
    let sites: Vec<Scope> = store.freezes().sites().await?.into_iter().map(|(site, _)| Scope::Site(site)).collect();
    if *site == Scope::All || sites.contains(site) {
        return Ok(());
    }
    let names: Vec<String> = sites.iter().map(ToString::to_string).collect();
    let hint = did_you_mean(&site.to_string(), &names).unwrap_or_else(|| match names.is_empty() {
        true => "the inventory is empty: `vmacd inventory import FILE` fills it".to_owned(),
        false => format!("sites in the inventory: {}", names.join(", ")),
    });
    Err(Fault::from(StoreError::NotFound { what: "site", id: site.to_string() }).with_hint(hint))
}

/// Refuses an unknown reason code; the hint names those of waiting dead letters.
pub async fn known_reason(store: &Store, reason: Option<&str>) -> Result<(), Fault> {
    let Some(reason) = reason.filter(|reason| Code::from_text(reason).is_none()) else { return Ok(()) };
    let codes: Vec<String> = Code::ALL.iter().map(ToString::to_string).collect();
    let waiting: Vec<_> = store.dead_letters().causes().await?.into_iter().map(|cause| cause.reason_code).collect();
    if waiting.iter().any(|waiting| waiting == reason) {
        return Ok(());
    }
    let hint = did_you_mean(reason, &codes).unwrap_or_else(|| those_that_wait(waiting));
    Err(Fault::input(format!("unknown reason code `{reason}`")).with_hint(hint))
}

fn those_that_wait(mut waiting: Vec<String>) -> String {
    waiting.sort();
    waiting.dedup();
    match waiting.is_empty() {
        true => "no dead letters are waiting; docs/ERRORS.md lists all reasons".to_owned(),
        false => format!("waiting dead letters have {}", waiting.join(", ")),
    }
}

/// Adds the nearest server's number to the fault of an unknown server.
pub async fn for_server(store: &Store, fault: Fault, failure: &Failure, server: i64) -> Fault {
    if failure.code != Code::UnknownServer {
        return fault;
    }
    let Ok(inventory) = store.inventory().export().await else { return fault };
    let ids: Vec<String> = inventory.servers.iter().map(|server| server.id.to_string()).collect();
    let hint = did_you_mean(&server.to_string(), &ids);
    fault.with_hint(hint.unwrap_or_else(|| "`vmacd inventory import FILE` adds servers".to_owned()))
}

fn did_you_mean(name: &str, known: &[String]) -> Option<String> {
    let scored = known.iter().map(|known| (strsim::jaro_winkler(name, known), known));
    let nearest = scored.filter(|(score, _)| *score >= ALIKE).max_by(|one, other| one.0.total_cmp(&other.0));
    nearest.map(|(_, nearest)| format!("did you mean `{nearest}`?"))
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn the_nearest_name_is_suggested_where_one_is_near() {
        let known = ["sw-a1", "sw-b1", "core-7"].map(str::to_owned);
        assert_eq!(did_you_mean("sw-a", &known).as_deref(), Some("did you mean `sw-a1`?"));
        assert_eq!(did_you_mean("unrelated", &known), None);
    }
}
