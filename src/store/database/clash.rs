//! Transactions that clash with others are run again.

/// Tries of one transaction after its first.
pub(in crate::store) const TRIES_MAX: u32 = 5;

/// Runs a transaction, and again where it clashed with another one: by then the other's rows are there to be seen.
macro_rules! again_on_clash {
    ($transaction:expr) => {{
        let mut tries = 0;
        loop {
            match $transaction.await {
                Err(error) if error.is_clash() && tries < $crate::store::database::clash::TRIES_MAX => tries += 1,
                result => break result,
            }
        }
    }};
}
pub(in crate::store) use again_on_clash;
