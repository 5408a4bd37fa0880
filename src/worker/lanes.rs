//! The lanes by switch: found or started when a switch has work.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use super::context::Context;
use super::lane;
use crate::domain::SwitchName;

/// The registry of lanes.
#[derive(Default)]
pub(super) struct Lanes {
    pokes: Mutex<HashMap<SwitchName, Arc<Notify>>>,
    tasks: TaskTracker,
}

impl Lanes {
    /// Tells the switch's lane that there is work, starting the lane where there is none.
    pub fn poke(&self, context: &Arc<Context>, switch: &SwitchName) {
        let mut pokes = self.pokes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(poke) = pokes.get(switch) {
            poke.notify_one();
            return;
        }
        let poke = Arc::new(Notify::new());
        poke.notify_one();
        pokes.insert(switch.clone(), poke.clone());
        self.tasks.spawn(lane::run(context.clone(), switch.clone(), poke));
    }

    /// Waits until every lane has ended; call after the worker was told to stop.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
