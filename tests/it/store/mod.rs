//! The store's conformance suite: each case runs on SQLite, on Postgres, and on Postgres by way of PgBouncer. Which of the last
//! run by default, and which in a long run alone, `.config/nextest.toml` says.

/// Makes three tests of each case, one for each way to a database.
macro_rules! on_both_engines {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(&crate::store::bench::Bench::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(&crate::store::bench::Bench::postgres().await).await;
            })+
        }
        mod pgbouncer {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(&crate::store::bench::Bench::pgbouncer().await).await;
            })+
        }
    };
}

mod access;
mod admission;
mod adopt;
mod allocation;
mod backups;
mod batches;
mod bench;
mod cancelled;
mod claims;
mod dead_letters;
mod drift;
mod due;
mod elsewhere;
mod freezes;
mod history;
mod in_force;
mod inventory;
mod leases;
mod limits;
mod lists;
mod logins;
mod moving;
mod never_on_neither;
mod order;
mod outbox;
mod ownership;
mod pools;
mod ports;
mod queue;
mod recognising;
mod rehearsal;
mod reservations;
mod retention;
mod rotating;
mod settlement;
mod sharing;
mod states;
mod trouble;
mod upgrade;
mod waiting;
mod webhooks;
mod workers;
