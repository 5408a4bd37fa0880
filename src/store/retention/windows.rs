//! How long old rows stay.

use std::time::Duration;

/// How long rows stay; none for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetentionWindows {
    /// Commands, once they ended.
    pub commands: Option<Duration>,
    /// Events.
    pub events: Option<Duration>,
    /// Pushes, once they ended.
    pub pushes: Option<Duration>,
    /// Dead letters, once they were replayed or discarded.
    pub dead_letters: Option<Duration>,
    /// Freezes that ended.
    pub freezes: Option<Duration>,
    /// The bindings of revoked rows.
    pub revoked: Option<Duration>,
    /// How long every backup stays; older ones: the first of a day.
    pub backups: Option<Duration>,
    /// How long those stay; older ones: the first of seven days.
    pub backups_daily: Option<Duration>,
}
