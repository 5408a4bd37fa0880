//! How the process is: the answers to `/readyz` and `/metrics`, from its parts, within two seconds whatever is silent.

use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::asked::{Asked, Known};
use crate::domain::chain;
use crate::metrics::{self, Figures};
use crate::store::{Counts, PoolFigures};
use crate::web::{Readiness, Vitals};
use crate::worker::{Parts, TaskState};

/// How old a sign of life may be: however often somebody asks, the database is asked once a second.
const LIFE_AGE_MAX: Duration = Duration::from_secs(1);
/// How long one is waited for in the background.
const SIGN_MAX: Duration = Duration::from_secs(8);
/// How old figures may be.
const COUNTS_AGE_MAX: Duration = Duration::from_millis(100);
/// How old the figures of the pools may be: counting a large one takes a while.
const POOLS_AGE_MAX: Duration = Duration::from_secs(60);

/// What was asked of the parts of one process.
pub(super) struct Surroundings {
    parts: Parts,
    since: Instant,
    life: Asked<()>,
    counts: Asked<Counts>,
    pools: Asked<Vec<PoolFigures>>,
    queues: Asked<Vec<(String, i64)>>,
}

impl Surroundings {
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            since: Instant::now(),
            life: Asked::new(LIFE_AGE_MAX),
            counts: Asked::new(COUNTS_AGE_MAX),
            pools: Asked::new(POOLS_AGE_MAX),
            queues: Asked::new(COUNTS_AGE_MAX),
        }
    }

    async fn database(&self) -> Readiness {
        let store = self.parts.store.clone();
        // Given up before the database would be: a connection that a network swallowed must not be all that is asked.
        // Tables that another version changed under a running worker are told here; its own statements may fail by now.
        let sign = async move {
            match tokio::time::timeout(SIGN_MAX, store.check_tables()).await {
                Ok(sign) => sign.map_err(|error| chain(&error)),
                Err(_) => Err(format!("no sign of life within {} ms", SIGN_MAX.as_millis())),
            }
        };
        let error = self.life.know(sign).await.trouble;
        Readiness { part: metrics::DATABASE, ready: error.is_none(), error }
    }

    fn broker(&self) -> Readiness {
        let ready = self.parts.broker.is_connected();
        Readiness { part: metrics::BROKER, ready, error: (!ready).then(|| "not connected".to_owned()) }
    }

    async fn counts(&self) -> Known<Counts> {
        let store = self.parts.store.clone();
        self.counts.know(async move { store.counts().await.map_err(|error| chain(&error)) }).await
    }

    async fn pools(&self) -> Known<Vec<PoolFigures>> {
        let store = self.parts.store.clone();
        self.pools.know(async move { store.pool_figures().await.map_err(|error| chain(&error)) }).await
    }

    async fn queues(&self) -> Known<Vec<(String, i64)>> {
        let broker = self.parts.broker.clone();
        self.queues.know(async move { broker.depths().await.map_err(|error| chain(&error)) }).await
    }

    /// How long ago the answer came, seconds; where none ever came, since when nothing is known.
    fn age_s<T>(&self, known: &Known<T>) -> f64 {
        known.answer.as_ref().map_or(self.since, |(_, at)| *at).elapsed().as_secs_f64()
    }
}

#[async_trait]
impl Vitals for Surroundings {
    async fn readiness(&self) -> Vec<Readiness> {
        let task = |state: TaskState| Readiness {
            part: state.task.as_str(),
            ready: state.trouble.is_none(),
            error: state.trouble,
        };
        let tasks = self.parts.supervisor.states().into_iter().map(task);
        [self.database().await, self.broker()].into_iter().chain(tasks).collect()
    }

    async fn metrics(&self) -> String {
        let (database, counts, pools, queues) =
            tokio::join!(self.database(), self.counts(), self.pools(), self.queues());
        let pools = pools.answer.map(|(pools, _)| pools).unwrap_or_default();
        let figures = Figures {
            database_up: database.ready,
            counts_age_s: self.age_s(&counts),
            counts: counts.answer.map(|(counts, _)| counts),
            pools: pools.into_iter().map(|of| (of.pool.to_string(), of.used_ratio)).collect(),
            statements: self.parts.store.statements(),
            broker_up: self.parts.broker.is_connected() && queues.trouble.is_none(),
            queues_age_s: self.age_s(&queues),
            queues: queues.answer.map(|(queues, _)| queues).unwrap_or_default(),
        };
        self.parts.metrics.text(&figures)
    }
}
