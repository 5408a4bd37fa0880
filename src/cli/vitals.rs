//! How the process is: the answers to `/readyz` and `/metrics`, from its parts.

use std::time::Duration;

use async_trait::async_trait;

use crate::broker::Broker;
use crate::domain::chain;
use crate::metrics::{self, Figures};
use crate::store::Store;
use crate::web::{Readiness, Vitals};
use crate::worker::Parts;

/// How old the figures of the pools may be: counting a large one takes a while.
const POOLS_AGE_MAX: Duration = Duration::from_secs(60);

#[async_trait]
impl Vitals for Parts {
    async fn readiness(&self) -> Vec<Readiness> {
        vec![database(&self.store).await, broker(&self.broker)]
    }

    async fn metrics(&self) -> String {
        let pools = self.store.pool_figures_of_late(POOLS_AGE_MAX);
        let (counts, pools, queues) = tokio::join!(self.store.counts(), pools, self.broker.depths());
        let figures = Figures {
            counts: counts.ok(),
            pools: pools.unwrap_or_default().into_iter().map(|of| (of.pool.to_string(), of.used_ratio)).collect(),
            statements: self.store.statements(),
            broker_up: self.broker.is_connected() && queues.is_ok(),
            queues: queues.unwrap_or_default(),
        };
        self.metrics.text(&figures)
    }
}

async fn database(store: &Store) -> Readiness {
    // Tables that another version changed under a running worker are told here; its own statements may fail by now.
    let error = store.check_tables().await.err().map(|error| chain(&error));
    Readiness { part: metrics::DATABASE, ready: error.is_none(), error }
}

fn broker(broker: &Broker) -> Readiness {
    let ready = broker.is_connected();
    Readiness { part: metrics::BROKER, ready, error: (!ready).then(|| "not connected".to_owned()) }
}
