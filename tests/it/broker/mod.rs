//! The broker's conformance suite: each case runs on the embedded queue and on RabbitMQ. What only RabbitMQ can
//! suffer, restarts and alarms, is in `outage`, against nodes of its own, and in `cluster`, against three of them; `upgrade` replaces the
//! earlier version's queues; `permissions` has logins that may not do everything, `archive` the stream that keeps every command.

/// Makes two tests of each case, one for each broker.
macro_rules! on_both_brokers {
    ($($case:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $case() {
                super::$case(&crate::broker::bench::Bench::embedded().await).await;
            })+
        }
        mod rabbitmq {
            $(#[tokio::test]
            async fn $case() {
                super::$case(&crate::broker::bench::Bench::rabbitmq().await).await;
            })+
        }
    };
}

mod archive;
pub mod bench;
mod cluster;
mod consuming;
mod former;
mod order;
mod outage;
mod permissions;
mod settling;
mod upgrade;
