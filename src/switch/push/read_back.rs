//! Whether a switch holds what was pushed, by reading it back.

use sha2::{Digest, Sha256};

use super::journal::PushContent;
use crate::domain::plan::{Change, PresentBinding};
use crate::switch::client::SwitchClient;
use crate::switch::error::SwitchError;

/// What of a push the committed configuration does not hold; none when it holds all.
pub(in crate::switch) async fn missing(
    client: &mut SwitchClient,
    content: &PushContent,
) -> Result<Option<String>, SwitchError> {
    match content {
        PushContent::Changes(changes) => {
            if first_missing(changes, &client.changed_bindings(changes).await?).is_none() {
                return Ok(None);
            }
            // Before the commit is rolled back for this, read the ports as a whole: a release may not find entries by their
            // keys.
            let present = client.bindings_on_ports_of(changes).await?;
            Ok(first_missing(changes, &present).map(|change| format!("{change:?}")))
        }
        PushContent::Whole { text_sha256, .. } => {
            let text = client.committed_text().await?;
            Ok((sha256(&text) != *text_sha256).then(|| "the configuration as a whole".to_owned()))
        }
    }
}

fn first_missing<'a>(changes: &'a [Change], present: &[PresentBinding]) -> Option<&'a Change> {
    changes.iter().find(|change| !change.is_held_by(present))
}

/// SHA-256 of a text, hexadecimal.
pub(in crate::switch) fn sha256(text: &[u8]) -> String {
    hex::encode(Sha256::digest(text))
}
