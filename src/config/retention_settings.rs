//! How long old rows are kept.

use serde::{Deserialize, Serialize};

use super::section::section;

/// Upper bound of days: a hundred years.
const DAYS_MAX: u32 = 36_500;

section!(
    /// `[retention]`
    ///
    /// What is older goes, a batch at a time. 0 keeps everything. Who had which address and MAC is never forgotten (`vmacd history`).
    RetentionSettings {
        /// Days for which a command is kept once it ended. A message that comes again within them is recognised by its key and
        /// answered again; a later one is a new command, and the order of commands decides.
        commands_days: u32 = 30; 0..=DAYS_MAX,
        /// Days for which an event is kept: the history that pages and `vmacd show` have.
        events_days: u32 = 60; 0..=DAYS_MAX,
        /// Days for which a push is kept once it ended. The newest fifty of each switch stay.
        pushes_days: u32 = 90; 0..=DAYS_MAX,
        /// Days for which a dead letter is kept once it was replayed or discarded. One that waits stays.
        dead_letters_days: u32 = 90; 0..=DAYS_MAX,
        /// Days for which a freeze is kept once it ended.
        freezes_days: u32 = 365; 0..=DAYS_MAX,
        /// Days for which a revoked virtual MAC keeps its bindings; at most `events_days`. Its line in the history stays.
        revoked_days: u32 = 30; 0..=DAYS_MAX,
        /// Days for which every backup is kept; of older ones the first of a day.
        backups_days: u32 = 30; 0..=DAYS_MAX,
        /// Days for which those are kept; of older ones the first of seven days. 0: the first of each day for ever.
        backups_daily_days: u32 = 180; 0..=DAYS_MAX,
    }
);
