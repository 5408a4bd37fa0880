//! The health banner of each page: what does not work, since when, and what to do.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::components::{safe, time};
use super::wording::{plural, switch_problem};
use crate::domain::{Health, Outage, WorkerHeartbeat};
use crate::store::SwitchTrouble;
use crate::web::health::{HealthSource, HealthView};

/// The page with details.
pub(super) const PATH: &str = "/health";

tokio::task_local! {
    /// The health, while a page is made for somebody who is logged in.
    static HEALTH: HealthView;
}

/// Makes a page with the health banner.
pub(super) async fn with_health<T>(health_source: &dyn HealthSource, page: impl Future<Output = T>) -> T {
    scope(health_source.health_view().await, page).await
}

/// The same with a health that is known already.
pub(super) async fn scope<T>(health: HealthView, page: impl Future<Output = T>) -> T {
    HEALTH.scope(health, page).await
}

/// Reads the health; none while a page is made for somebody who is not logged in.
pub(super) fn read<T>(read: impl FnOnce(&HealthView) -> T) -> Option<T> {
    HEALTH.try_with(read).ok()
}

/// The banner; nothing on pages for somebody who is not logged in.
pub(super) fn banner() -> Markup {
    read(|seen| html! { section #health aria-label="Health" { (summary(seen)) (outages(&seen.health)) (troubles(seen)) } })
        .unwrap_or_default()
}

fn summary(seen: &HealthView) -> Markup {
    let health = &seen.health;
    let (running, all) = (health.running().count(), health.workers.len());
    let workers_good = running == all && running > 0 && health.workers.iter().all(|worker| worker.trouble.is_none());
    html! {
        ul .parts {
            li .good[health.database.is_none()] .wrong[health.database.is_some()] {
                a href=(PATH) { "Database " @if health.database.is_some() { "unreachable" } @else { span .figure { (health.database_ms) " ms" } } }
            }
            (part(health.broker.is_none() && health.without_broker() == 0, PATH, match (&health.broker, health.broker_is_embedded) {
                (_, true) => "Queue in the database",
                (None, false) => "RabbitMQ connected",
                (Some(_), false) => "RabbitMQ unreachable",
            }))
            li .good[workers_good] .wrong[!workers_good] {
                details { summary { "Workers " (running) " of " (all) } (workers(health)) }
            }
            (part(seen.switches.count == 0, "/switches", &match seen.switches.count {
                0 => "Switches reachable".to_owned(),
                count => format!("{} waiting", plural(count, "switch", "switches")),
            }))
            @if seen.freezes > 0 { li .paused { a href="/switches" { (plural(seen.freezes, "freeze", "freezes")) } } }
        }
    }
}

/// Who runs, since when, and when they were last heard of.
fn workers(health: &Health) -> Markup {
    html! {
        ul {
            @for worker in &health.workers {
                li { (safe(&worker.name)) ", running since " (clock(worker.started_at)) ", last heard from " (time(worker.heard_at)) }
            }
            li { a href=(PATH) { "Details" } }
        }
    }
}

fn part(good: bool, path: &str, text: &str) -> Markup {
    html! { li .good[good] .wrong[!good] { a href=(path) { (text) } } }
}

/// What is wrong, since when, what it means, and what to do.
fn outages(health: &Health) -> Markup {
    html! {
        @if let Some(away) = &health.database {
            (outage("The database has been unreachable", away, html! {
                "Accepted commands are safe and switches keep their configuration; new work waits. This page shows the state at "
                (clock(health.known_at)) ". Check the database server and the network to it."
            }))
        }
        @if let Some(away) = &health.broker {
            (outage(&format!("RabbitMQ has been unreachable{}", seen_by(health)), away, html! {
                "Accepted commands are safe and work on them continues; new commands wait at their producers, and events wait here. Check RabbitMQ and the network to it."
            }))
        }
        @for worker in &health.workers { (of_worker(health, worker)) }
        @if health.database.is_none() && health.running().count() == 0 {
            div .note .bad .outage { strong { "No worker is reporting." } " Check that it is running, and its log: " code { "vmacd serve" } "." }
        }
    }
}

fn outage(what: &str, away: &Outage, meaning: Markup) -> Markup {
    html! {
        div .note .bad .outage {
            strong { (what) " since " (clock(away.since)) " (" (time(away.since)) ")" } ": " (safe(&away.error)) ". " (meaning)
        }
    }
}

fn seen_by(health: &Health) -> String {
    match (health.without_broker(), health.running().count()) {
        (0, _) | (_, 0) => String::new(),
        (without, all) => format!(" (seen by {without} of {})", plural(counted(all), "worker", "workers")),
    }
}

fn of_worker(health: &Health, worker: &WorkerHeartbeat) -> Markup {
    let lost = worker.broker_lost_at.filter(|_| health.broker.is_none());
    html! {
        @if worker.is_silent(health.known_at) {
            div .note .bad .outage {
                strong { "Worker " (safe(&worker.name)) " was last heard from at " (clock(worker.heard_at)) " (" (time(worker.heard_at)) ")" }
                ". The other workers take over its switches. Check whether it is still running; a removed worker leaves this list after an hour."
            }
        } @else {
            @if let Some(trouble) = &worker.trouble {
                div .note .bad .outage { strong { "Worker " (safe(&worker.name)) " has a task that has stopped" } ": " (safe(trouble)) ". Check its log." }
            }
            @if let Some(since) = lost {
                div .note .bad .outage {
                    strong { "Worker " (safe(&worker.name)) " has had no connection to RabbitMQ since " (clock(since)) " (" (time(since)) ")" }
                    ". Check the network between them."
                }
            }
        }
    }
}

/// Switches whose work waits: why, since when, and when it is tried next.
fn troubles(seen: &HealthView) -> Markup {
    let switches = &seen.switches;
    let more = switches.count - counted(switches.longest.len());
    html! {
        @if !switches.longest.is_empty() {
            ul .note .waits {
                @for of in &switches.longest { li { (trouble(of)) } }
                @if more > 0 { li { a href="/switches" { "and " (more) " more" } } }
            }
        }
    }
}

fn trouble(of: &SwitchTrouble) -> Markup {
    let SwitchTrouble { switch, trouble } = of;
    html! {
        a href={ "/switches/" (switch) } { (switch) } ": " strong { (switch_problem(trouble.code)) }
        " since " (clock(trouble.since)) ", next attempt " (time(trouble.next_try_at)) ". " span .faint { (safe(&trouble.text)) }
    }
}

fn counted(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

pub(super) fn clock(at: DateTime<Utc>) -> Markup {
    let day = if at.date_naive() == Utc::now().date_naive() { "%H:%M:%S UTC" } else { "%Y-%m-%d %H:%M:%S UTC" };
    html! { (at.format(day)) }
}
