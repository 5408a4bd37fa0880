//! The plan: what must change on a switch so that it has what is wished for. Reads from the switch what the plan needs.

use std::borrow::Cow;

use crate::domain::plan::{Ownership, Planned, PortVlans, PresentBinding, Wish, plan, unsupported, wants_port_vlans};
use crate::switch::client::SwitchClient;
use crate::switch::error::SwitchError;
use crate::switch::known::KnownConfiguration;

/// Plans the wishes against the bindings that are there; `owned` says which of these are vmacd's. What the ports say of
/// VLANs is read only if nothing nearer says it and it is not known yet.
pub(super) async fn planned(
    client: &mut SwitchClient,
    wishes: Vec<Wish>,
    present: &[PresentBinding],
    known: Option<&KnownConfiguration>,
    owned: &Ownership,
) -> Result<Vec<Planned>, SwitchError> {
    let (mut planned, mut possible) = (Vec::new(), Vec::new());
    for wish in wishes {
        match unsupported(&wish, client.dialect(), client.name()) {
            Some(failure) => planned.push(Err((wish, failure))),
            None => possible.push(wish),
        }
    }
    let ports = possible.iter().map(|wish| &wish.interface);
    let port_vlans = match known.filter(|known| known.covers(&possible)) {
        _ if !wants_port_vlans(&possible, present) => Cow::Owned(PortVlans::default()),
        Some(known) => Cow::Borrowed(&known.port_vlans),
        None => Cow::Owned(client.port_vlans(ports).await?),
    };
    client.correct_duplicates(client.duplicates().after_taking(present));
    planned.extend(plan(&possible, present, &port_vlans, owned, client.duplicates()));
    Ok(planned)
}
