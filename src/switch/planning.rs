//! What must change on a switch so that it holds what is wished for: the plan, with all that it looks at there.

use super::client::SwitchClient;
use super::error::SwitchError;
use crate::domain::plan::{Ownership, Planned, PortVlans, PresentBinding, Wish, plan, unsupported, wants_port_vlans};

/// Plans the wishes against the bindings that are there; `owned` says which of these are vmacd's.
pub(super) async fn planned(
    client: &mut SwitchClient,
    wishes: Vec<Wish>,
    present: &[PresentBinding],
    owned: &Ownership,
) -> Result<Vec<Planned>, SwitchError> {
    let (mut planned, mut possible) = (Vec::new(), Vec::new());
    for wish in wishes {
        match unsupported(&wish, client.dialect(), client.name()) {
            Some(failure) => planned.push(Err((wish, failure))),
            None => possible.push(wish),
        }
    }
    let port_vlans = port_vlans(client, &possible, present).await?;
    planned.extend(plan(&possible, present, &port_vlans, owned));
    Ok(planned)
}

/// What the ports' configuration says of VLANs, asked for only where nothing nearer tells.
async fn port_vlans(
    client: &mut SwitchClient,
    wishes: &[Wish],
    present: &[PresentBinding],
) -> Result<PortVlans, SwitchError> {
    match wants_port_vlans(wishes, present) {
        true => client.port_vlans(wishes.iter().map(|wish| &wish.interface)).await,
        false => Ok(PortVlans::default()),
    }
}
