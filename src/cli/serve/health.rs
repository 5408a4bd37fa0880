//! The health of the process, for `/readyz`, `/metrics` and the pages: answers within two seconds even if a part does not.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::cached::{Cached, PATIENCE, Reading};
use crate::broker::Broker;
use crate::domain::{Health, WorkerHeartbeat, chain};
use crate::metrics::{self, Figures};
use crate::store::{Counts, PoolFigures, StoreError, SwitchTroubles, TableFigures};
use crate::web::{HealthSource, HealthView, Readiness};
use crate::worker::{TaskState, WorkerParts};

/// How old a sign of life may be: the database is queried at most once a second.
const LIFE_AGE_MAX: Duration = Duration::from_secs(1);
/// Longest time for that query, in the background.
const SIGN_MAX: Duration = Duration::from_secs(8);
/// How old figures may be.
const COUNTS_AGE_MAX: Duration = Duration::from_millis(100);
/// How old the figures of the pools may be: counting a large one takes a while.
const POOLS_AGE_MAX: Duration = Duration::from_secs(60);

/// How old the figures of the tables may be: they grow slowly.
const TABLES_AGE_MAX: Duration = Duration::from_secs(15);

/// Switches in trouble that each page names; the others are counted.
const TROUBLES_SHOWN: i64 = 5;

/// The health of the parts of this process.
pub struct ProcessHealth {
    parts: WorkerParts,
    since: Instant,
    life: Cached<()>,
    counts: Cached<Counts>,
    pools: Cached<Vec<PoolFigures>>,
    queues: Cached<Vec<(String, i64)>>,
    tables: Cached<Vec<TableFigures>>,
    seen: Mutex<Option<Rows>>,
}

/// What the database last said about workers and switches, how long that took, and when.
#[derive(Clone)]
struct Rows {
    workers: Vec<WorkerHeartbeat>,
    switches: SwitchTroubles,
    freezes: i64,
    took_ms: u64,
    at: DateTime<Utc>,
}

impl ProcessHealth {
    pub fn new(parts: WorkerParts) -> Self {
        Self {
            parts,
            since: Instant::now(),
            life: Cached::new(LIFE_AGE_MAX),
            counts: Cached::new(COUNTS_AGE_MAX),
            pools: Cached::new(POOLS_AGE_MAX),
            queues: Cached::new(COUNTS_AGE_MAX),
            tables: Cached::new(TABLES_AGE_MAX),
            seen: Mutex::default(),
        }
    }

    async fn database(&self) -> Readiness {
        let store = self.parts.store.clone();
        // Given up before the database would be: a connection that a network swallowed must not be all that is asked.
        // This also notices tables that another version migrated under a running worker.
        let sign = async move {
            match tokio::time::timeout(SIGN_MAX, store.check_tables()).await {
                Ok(sign) => sign.map_err(|error| chain(&error)),
                Err(_) => Err(format!("no heartbeat within {} ms", SIGN_MAX.as_millis())),
            }
        };
        let error = self.life.get(sign).await.trouble;
        Readiness { part: metrics::DATABASE, ready: error.is_none(), error }
    }

    fn broker(&self) -> Readiness {
        let ready = self.parts.broker.is_connected();
        Readiness { part: metrics::BROKER, ready, error: (!ready).then(|| "not connected".to_owned()) }
    }

    async fn counts(&self) -> Reading<Counts> {
        let store = self.parts.store.clone();
        self.counts.get(async move { store.statistics().counts().await.map_err(|error| chain(&error)) }).await
    }

    async fn pools(&self) -> Reading<Vec<PoolFigures>> {
        let store = self.parts.store.clone();
        self.pools.get(async move { store.mac_registry().pool_figures().await.map_err(|error| chain(&error)) }).await
    }

    async fn tables(&self) -> Reading<Vec<TableFigures>> {
        let store = self.parts.store.clone();
        self.tables.get(async move { store.retention().figures().await.map_err(|error| chain(&error)) }).await
    }

    async fn queues(&self) -> Reading<Vec<(String, i64)>> {
        let broker = self.parts.broker.clone();
        self.queues.get(async move { broker.depths().await.map_err(|error| chain(&error)) }).await
    }

    /// Queries the database for workers and switches.
    async fn rows(&self) -> Result<Rows, StoreError> {
        let (store, asked) = (&self.parts.store, Instant::now());
        let workers = store.workers().list().await?;
        let took_ms = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
        let switches = store.switches().troubles(TROUBLES_SHOWN).await?;
        let freezes = i64::try_from(store.freezes().list().await?.len()).unwrap_or(i64::MAX);
        Ok(Rows { workers, switches, freezes, took_ms, at: store.best_known_time() })
    }

    /// The same, or the last known answer; records outages of database and broker.
    async fn known_rows(&self) -> Option<Rows> {
        let answer = tokio::time::timeout(PATIENCE, self.rows()).await;
        let silent = || format!("no answer within {} ms", PATIENCE.as_millis());
        let answer = answer.map_err(|_| silent()).and_then(|answer| answer.map_err(|error| chain(&error)));
        let (outages, now) = (&self.parts.outages, self.parts.store.best_known_time());
        outages.note_database(answer.as_ref().err().cloned(), now);
        outages.note_broker((!self.parts.broker.is_connected()).then(|| "no connection".to_owned()), now);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(rows) = answer {
            *seen = Some(rows);
        }
        seen.clone()
    }

    /// The age of the answer in seconds; without any answer, the age of this process.
    fn age_s<T>(&self, known: &Reading<T>) -> f64 {
        known.answer.as_ref().map_or(self.since, |(_, at)| *at).elapsed().as_secs_f64()
    }
}

#[async_trait]
impl HealthSource for ProcessHealth {
    async fn readiness(&self) -> Vec<Readiness> {
        let task = |state: TaskState| Readiness {
            part: state.task.as_str(),
            ready: state.trouble.is_none(),
            error: state.trouble,
        };
        let tasks = self.parts.supervisor.states().into_iter().map(task);
        [self.database().await, self.broker()].into_iter().chain(tasks).collect()
    }

    async fn health_view(&self) -> HealthView {
        let rows = self.known_rows().await;
        let (outages, now) = (&self.parts.outages, self.parts.store.best_known_time());
        let known_at = rows.as_ref().map_or(now, |rows| rows.at);
        let (workers, switches, freezes, database_ms) = match rows {
            Some(rows) => (rows.workers, rows.switches, rows.freezes, rows.took_ms),
            None => (Vec::new(), SwitchTroubles::default(), 0, 0),
        };
        let health = Health {
            now,
            database: outages.database(),
            database_ms,
            broker: outages.broker(),
            broker_is_embedded: matches!(self.parts.broker, Broker::Embedded(_)),
            workers,
            known_at,
        };
        HealthView { health, switches, freezes }
    }

    async fn metrics(&self) -> String {
        let (database, counts, pools, queues, tables) =
            tokio::join!(self.database(), self.counts(), self.pools(), self.queues(), self.tables());
        let pools = pools.answer.map(|(pools, _)| pools).unwrap_or_default();
        let figures = Figures {
            database_up: database.ready,
            counts_age_s: self.age_s(&counts),
            counts: counts.answer.map(|(counts, _)| counts),
            pools: pools.into_iter().map(|of| (of.pool.to_string(), of.used_ratio)).collect(),
            tables: tables.answer.map(|(tables, _)| tables).unwrap_or_default(),
            statements: self.parts.store.statements(),
            broker_up: self.parts.broker.is_connected() && queues.trouble.is_none(),
            queues_age_s: self.age_s(&queues),
            queues: queues.answer.map(|(queues, _)| queues).unwrap_or_default(),
        };
        self.parts.metrics.text(&figures)
    }
}
