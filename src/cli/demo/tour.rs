//! The tour: five scenes, each announced and then shown from the database and the switches.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use super::stage::Stage;
use crate::broker::message_of;
use crate::cli::fault::Fault;
use crate::cli::terminal::streams::write_text;
use crate::domain::{Action, BindableAddress, MessageKey, Server};
use crate::store::{CommandOutcome, DeadLetterFilter, FullDeadLetter, VmacFilter};

/// Extra addresses created on each server.
const ADDRESSES_PER_SERVER: u32 = 20;
/// Longest time that a scene waits for what it announces.
const PATIENCE: Duration = Duration::from_secs(60);

/// Gives the whole tour.
pub async fn run(stage: &Stage) -> Result<(), Fault> {
    let started = Instant::now();
    introduce(stage)?;
    let created = create(stage).await?;
    repeat(stage).await?;
    revoke(stage).await?;
    refuse_and_replay(stage).await?;
    summarise(stage, created, started)
}

fn introduce(stage: &Stage) -> Result<(), Fault> {
    say("1. The stage: two simulated Juniper switches on real ports, speaking SSH and NETCONF")?;
    for switch in &stage.inventory.switches {
        line(&format!(
            "{}  {}:{}  host key {}",
            switch.name,
            switch.host,
            switch.port,
            switch.host_key.as_deref().unwrap_or("-")
        ))?;
    }
    let servers = &stage.inventory.servers;
    line(&format!(
        "{} servers are cabled to them; each has its primary address bound to its own (PXE) MAC:",
        servers.len()
    ))?;
    for server in servers {
        let port = server.ports.first().map(|port| format!("{} {}", port.switch, port.interface)).unwrap_or_default();
        line(&format!("server {}  {}  {}  {port}", server.id, extra(server, 0), server.pxe_mac))?;
    }
    if let Some(http) = stage.http {
        line(&format!("the page is at http://{http}/"))?;
    }
    Ok(())
}

async fn create(stage: &Stage) -> Result<usize, Fault> {
    let servers = &stage.inventory.servers;
    let total = servers.len() * ADDRESSES_PER_SERVER as usize;
    say(&format!("2. Billing sells {total} extra addresses at once: {total} `vmac.create` messages are published"))?;
    let before = commits(stage);
    let started = Instant::now();
    let mut keys = Vec::new();
    for server in servers {
        for number in 1..=ADDRESSES_PER_SERVER {
            let key = format!("order-{}-{number}", server.id);
            stage.publish(Action::Create, server.id, &extra(server, number), &key).await?;
            keys.push(MessageKey(key));
        }
    }
    for key in &keys {
        outcome(stage, key).await?;
    }
    line(&format!("all {total} are active after {:.1} s; the first of each server:", started.elapsed().as_secs_f64()))?;
    for server in servers {
        let vmac = find(stage, &extra(server, 1)).await?;
        line(&format!("{}  {}  {}", vmac.ip_address, vmac.mac_address, vmac.status))?;
    }
    line(&format!(
        "the switches needed {} commits for it (two each time: confirmed, then confirming), each with a backup before it",
        commits(stage) - before
    ))?;
    Ok(total)
}

async fn repeat(stage: &Stage) -> Result<(), Fault> {
    say("3. The same message again: the same answer, nothing is bound twice")?;
    let (server, before) = (&stage.inventory.servers[0], commits(stage));
    let address = extra(server, 1);
    let first = find(stage, &address).await?.mac_address;
    stage.publish(Action::Create, server.id, &address, "order-again").await?;
    outcome(stage, &MessageKey("order-again".to_owned())).await?;
    let second = find(stage, &address).await?.mac_address;
    line(&format!("{address} had {first} and has {second}; commits needed: {}", commits(stage) - before))?;
    Ok(())
}

async fn revoke(stage: &Stage) -> Result<(), Fault> {
    let server = &stage.inventory.servers[0];
    let address = extra(server, 1);
    say(&format!("4. The customer gives {address} back: `vmac.revoke`"))?;
    stage.publish(Action::Revoke, server.id, &address, "revoke-1").await?;
    outcome(stage, &MessageKey("revoke-1".to_owned())).await?;
    let vmac = find(stage, &address).await?;
    for binding in &vmac.switch_bindings {
        line(&format!("{address} is {}: {} {} {}", vmac.status, binding.switch, binding.interface, binding.state))?;
    }
    line(
        "the PXE MAC is bound to the primary address of that port, and Junos would refuse it twice: the binding is removed",
    )?;
    Ok(())
}

async fn refuse_and_replay(stage: &Stage) -> Result<(), Fault> {
    let server = &stage.inventory.servers[stage.inventory.servers.len() - 1];
    let switch = &server.ports[0].switch;
    let address = extra(server, ADDRESSES_PER_SERVER + 1);
    say(&format!("5. {switch} refuses a commit (an injected fault), for {address}"))?;
    let handle = stage.estate.switch(switch.as_str()).ok_or_else(|| Fault::service(anyhow::anyhow!("no {switch}")))?;
    handle.set_fault("change_rejected").map_err(Fault::service)?;
    stage.publish(Action::Create, server.id, &address, "refused-1").await?;
    let refused = outcome_any(stage, &MessageKey("refused-1".to_owned())).await?;
    line(&format!("the answer: {}", refused.failure().map(|failure| failure.to_string()).unwrap_or_default()))?;
    let letter = dead_letter(stage).await?;
    line(&format!(
        "dead letter {}: {} {}",
        letter.row.id,
        letter.row.reason_code,
        String::from_utf8_lossy(&letter.body)
    ))?;
    handle.clear_faults();
    line("the switch works again; `vmacd dead-letters replay --all` sends it to the work queue again")?;
    let id = letter.row.id;
    stage.broker.publish_command(message_of(letter)).await?;
    stage.store.dead_letters().mark_replayed(&[id]).await?;
    wait("the replayed address to become active", async || {
        let vmac = find(stage, &address).await?;
        Ok((vmac.status == crate::domain::Status::Active).then_some(vmac))
    })
    .await
    .and_then(|vmac| line(&format!("{}  {}  {}", vmac.ip_address, vmac.mac_address, vmac.status)))
}

fn summarise(stage: &Stage, created: usize, started: Instant) -> Result<(), Fault> {
    say("Summary")?;
    let bound: usize = switches(stage).map(|switch| switch.bindings().len()).sum();
    line(&format!(
        "{created} addresses created, 1 revoked, 1 refused, replayed and created: the switches hold {bound} bindings \
         ({} servers' primary addresses among them) after {} commits, {:.1} s in all",
        stage.inventory.servers.len(),
        commits(stage),
        started.elapsed().as_secs_f64()
    ))
}

/// What to try while the demo stays up.
pub fn print_next_steps(stage: &Stage) -> Result<(), Fault> {
    let server = &stage.inventory.servers[0];
    say("It stays up. In another terminal, or a browser:")?;
    if let Some(http) = stage.http {
        line(&format!("http://{http}/"))?;
    }
    line(&format!("export VMACD_DATABASE_URL=sqlite://{}", stage.database.display()))?;
    line("vmacd list --status active")?;
    line(&format!("vmacd create --server {} --ip {} --wait", server.id, extra(server, 60)))?;
    line(&format!("vmacd show {}", extra(server, 60)))?;
    line("Ctrl-C ends it and removes everything.")
}

/// An address of the server: its primary one plus `number`.
fn extra(server: &Server, number: u32) -> String {
    match server.primary_ip.map(BindableAddress::ip) {
        Some(IpAddr::V4(primary)) => Ipv4Addr::from(u32::from(primary) + number).to_string(),
        other => unreachable!("the stage's servers have IPv4 addresses: {other:?}"),
    }
}

fn switches(stage: &Stage) -> impl Iterator<Item = crate::sim::SimHandle> {
    stage.inventory.switches.iter().filter_map(|switch| stage.estate.switch(switch.name.as_str()))
}

fn commits(stage: &Stage) -> u64 {
    switches(stage).map(|switch| switch.commits()).sum()
}

async fn find(stage: &Stage, ip: &str) -> Result<crate::store::Vmac, Fault> {
    let filter = VmacFilter { ip: Some(ip.parse()?), ..VmacFilter::default() };
    let newest = stage.store.vmacs().find(&filter).await?.into_iter().max_by_key(|vmac| vmac.id);
    newest.ok_or_else(|| Fault::service(anyhow::anyhow!("no virtual MAC for {ip}")))
}

/// The outcome of a command that must succeed.
async fn outcome(stage: &Stage, key: &MessageKey) -> Result<CommandOutcome, Fault> {
    let outcome = outcome_any(stage, key).await?;
    match outcome.failure() {
        None => Ok(outcome),
        Some(failure) => Err(failure.into()),
    }
}

async fn outcome_any(stage: &Stage, key: &MessageKey) -> Result<CommandOutcome, Fault> {
    wait(&format!("the outcome of {key}"), async || {
        Ok(stage.store.commands().outcomes(std::slice::from_ref(key)).await?.remove(key))
    })
    .await
}

async fn dead_letter(stage: &Stage) -> Result<FullDeadLetter, Fault> {
    wait("the dead letter to be collected", async || {
        Ok(stage.store.dead_letters().list_full(&DeadLetterFilter::default()).await?.pop())
    })
    .await
}

async fn wait<T>(what: &str, mut poll: impl AsyncFnMut() -> Result<Option<T>, Fault>) -> Result<T, Fault> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = poll().await? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(Fault::service(anyhow::anyhow!("waited {} s for {what}", PATIENCE.as_secs())));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn say(text: &str) -> Result<(), Fault> {
    put(&format!("\n{text}"))
}

fn line(text: &str) -> Result<(), Fault> {
    put(&format!("   {text}"))
}

/// Prints a line; that nobody reads any more ends the tour.
fn put(text: &str) -> Result<(), Fault> {
    match write_text(&format!("{text}\n"))? {
        true => Ok(()),
        false => Err(Fault::reader_gone()),
    }
}
