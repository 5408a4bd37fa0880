//! Whether a switch holds what was pushed, by reading it back.

use sha2::{Digest, Sha256};

use super::client::SwitchClient;
use super::error::SwitchError;
use super::journal::PushContent;

/// What of a push the committed configuration does not hold; none when it holds all.
pub(super) async fn missing(client: &mut SwitchClient, content: &PushContent) -> Result<Option<String>, SwitchError> {
    match content {
        PushContent::Changes(changes) => {
            let present = client.bindings_changed_by(changes).await?;
            let missing = changes.iter().find(|change| !change.is_held_by(&present));
            Ok(missing.map(|change| format!("{change:?}")))
        }
        PushContent::Whole { text_sha256, .. } => {
            let text = client.committed_text().await?;
            Ok((sha256(&text) != *text_sha256).then(|| "the configuration as a whole".to_owned()))
        }
    }
}

/// SHA-256 of a text, hexadecimal.
pub(super) fn sha256(text: &[u8]) -> String {
    hex::encode(Sha256::digest(text))
}
