//! Bringing a whole configuration back, with the same safety as a push.
//!
//! [`preview`] has the switch itself say what would change and leaves no trace; [`restore`] does it, if that is still
//! what would change. What is read back is compared with the candidate that was previewed, because a switch may show the
//! same configuration in another form than the text that it was given.

mod text_checks;

use uuid::Uuid;

use crate::domain::Failure;
use crate::domain::plan::PresentBinding;
use crate::switch::client::SwitchClient;
use crate::switch::error::SwitchError;
use crate::switch::push::journal::{Journal, PushContent, PushIntent};
use crate::switch::push::preview::discard_and_unlock;
use crate::switch::push::read_back::sha256;
use crate::switch::push::transaction::{CommitOutcome, PushOptions, Transaction};
use text_checks::{check_taken_whole, check_writable};

/// A configuration to bring back.
#[derive(Clone)]
pub struct RestoreTarget {
    /// The backup that it comes from.
    pub backup_id: i64,
    /// Its text, byte for byte, secrets and all.
    pub text: Vec<u8>,
}

/// What bringing a configuration back changes. Its texts may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct RestoreDifference {
    /// The configuration that is in force before.
    pub before: Vec<u8>,
    /// In the switch's own words, as `show | compare` prints it; empty when nothing changes.
    pub text: String,
    /// SHA-256 of the text that the switch shows with it, hexadecimal.
    pub text_sha256: String,
    /// The bindings that the switch holds with it.
    pub bindings: Vec<PresentBinding>,
}

impl std::fmt::Debug for RestoreDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RestoreDifference").field("text_sha256", &self.text_sha256).finish_non_exhaustive()
    }
}

/// How bringing a configuration back ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreEnd {
    /// It is in force, read back and confirmed.
    Restored {
        /// The push, whose id is in the switch's commit log.
        push_id: String,
        /// The backup of what was there before.
        backup_id: i64,
    },
    /// Something else would change than was agreed to; nothing was changed.
    Changed,
}

/// Loads the configuration into the locked candidate, has the switch compare, and discards it again.
///
/// # Errors
/// The switch's refusal or trouble as a [`Failure`]; nothing was changed.
pub async fn preview(client: &mut SwitchClient, wanted: &RestoreTarget) -> Result<RestoreDifference, Failure> {
    client.lock().await.map_err(|error| error.failure())?;
    let difference = load(client, wanted).await;
    discard_and_unlock(client, difference).await
}

async fn load(client: &mut SwitchClient, wanted: &RestoreTarget) -> Result<RestoreDifference, SwitchError> {
    let not_whole = |problem| SwitchError::NotWhole { switch: client.name().to_owned(), problem };
    check_writable(&wanted.text).map_err(not_whole)?;
    client.load_whole(&wanted.text).await?;
    let candidate = client.candidate_text().await?;
    check_taken_whole(&wanted.text, &candidate)
        .map_err(|problem| SwitchError::NotWhole { switch: client.name().to_owned(), problem })?;
    Ok(RestoreDifference {
        before: client.committed_text().await?,
        text: client.difference().await?,
        text_sha256: sha256(&candidate),
        bindings: client.candidate_bindings().await?,
    })
}

/// Brings the configuration back, if what would change is what was agreed to.
///
/// # Errors
/// [`Failure`]: `commit_unanswered` where a commit was sent and no answer came.
pub async fn restore<J: Journal>(
    client: &mut SwitchClient,
    journal: &mut J,
    options: &PushOptions,
    wanted: &RestoreTarget,
    agreed: &RestoreDifference,
) -> Result<RestoreEnd, Failure> {
    let mut transaction = Transaction::begin(client, journal, options).await.map_err(|error| error.failure())?;
    let end = locked(&mut transaction, wanted, agreed).await;
    transaction.end(None).await;
    end
}

async fn locked<J: Journal>(
    transaction: &mut Transaction<'_, J>,
    wanted: &RestoreTarget,
    agreed: &RestoreDifference,
) -> Result<RestoreEnd, Failure> {
    let before = transaction.open().await?.backup;
    let content = PushContent::Whole { restored_backup_id: wanted.backup_id, text_sha256: agreed.text_sha256.clone() };
    let intent = PushIntent { id: Uuid::now_v7().to_string(), content, backup_id: None };
    let tried = match load(transaction.client, wanted).await {
        Ok(difference) if difference != *agreed => {
            transaction.discard().await?;
            return Ok(RestoreEnd::Changed);
        }
        Ok(_) => transaction.commit(intent, &before, &[]).await?,
        Err(error) => transaction.load_failed(error).await?,
    };
    match tried {
        CommitOutcome::Confirmed { push_id, backup_id } => Ok(RestoreEnd::Restored { push_id, backup_id }),
        CommitOutcome::Refused(error, _) => Err(error.failure()),
        CommitOutcome::RolledBack(failure) => Err(failure),
    }
}
