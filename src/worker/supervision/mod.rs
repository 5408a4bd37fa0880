//! Keeping the tasks running, and saying how they are.

pub(super) mod outages;
pub(super) mod presence;
pub(super) mod supervise;
pub(super) mod task_health;
