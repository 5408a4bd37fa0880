//! A producer: creates, revokes, re-creates, repeats and reorders, and goes on until the broker has confirmed everything.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::arena::Arena;

/// Addresses for each server, few enough that commands meet.
const ADDRESSES: u32 = 6;
/// Commands of one round, which are sent in any order.
const ROUND: usize = 12;
const PAUSE: Duration = Duration::from_millis(40);
/// Commands that may wait to be taken in: on a machine that others use, a long run would otherwise end with a queue that takes
/// longer to work off than the run took.
const BACKLOG: i64 = 5_000;
/// How often the backlog is looked at, in rounds.
const ROUNDS_A_LOOK: usize = 50;

/// One command as it was sent.
#[derive(Debug, Clone)]
pub struct Command {
    pub id: String,
    pub action: &'static str,
    pub ip: String,
    pub issued_at_ms: i64,
    server: i64,
}

/// Everything that was sent, and how many messages that was.
pub struct Sent {
    pub commands: BTreeMap<String, Command>,
    pub messages: usize,
}

pub struct Producer {
    stop: CancellationToken,
    task: JoinHandle<Sent>,
}

impl Producer {
    /// Stops sending, and gives what was sent.
    pub async fn finish(self) -> Sent {
        self.stop.cancel();
        self.task.await.expect("the producer")
    }
}

/// Starts sending.
pub fn start(arena: &Arena, rng: StdRng) -> Producer {
    let stop = CancellationToken::new();
    let places = arena.estate.servers().iter().flat_map(|server| {
        let primary: Ipv4Addr = server.primary_ip.parse().expect("an address");
        (1..=ADDRESSES).map(move |n| (server.id as i64, Ipv4Addr::from(u32::from(primary) + n).to_string()))
    });
    let sender =
        Sender { urls: arena.brokers.urls(), attempts: 0, open: None, messages: 0, database_url: arena.base.url() };
    let places: Vec<_> = places.collect();
    Producer { task: tokio::spawn(send_on(sender, places, rng, stop.clone())), stop }
}

async fn send_on(mut sender: Sender, places: Vec<(i64, String)>, mut rng: StdRng, stop: CancellationToken) -> Sent {
    let mut commands = BTreeMap::new();
    let mut rounds = 0;
    let mut issued_at_ms = chrono::Utc::now().timestamp_millis() - 600_000;
    while !stop.is_cancelled() {
        let mut round: Vec<Command> = (0..ROUND)
            .map(|_| {
                issued_at_ms += 1;
                command(places.choose(&mut rng).expect("places"), issued_at_ms, &mut rng)
            })
            .collect();
        commands.extend(round.iter().map(|command| (command.id.clone(), command.clone())));
        // One is sent twice, and so is one of long ago.
        round.extend(round.first().cloned());
        let earlier = commands.range(format!("c-{:08}", rng.random_range(0..u32::MAX)).as_str().to_owned()..).next();
        round.extend(earlier.map(|(_, command)| command.clone()));
        round.shuffle(&mut rng);
        for command in &round {
            sender.send(command).await;
        }
        tokio::time::sleep(PAUSE).await;
        rounds += 1;
        while rounds % ROUNDS_A_LOOK == 0 && !stop.is_cancelled() && sender.backlog(commands.len()).await > BACKLOG {
            tokio::time::sleep(25 * PAUSE).await;
        }
    }
    Sent { commands, messages: sender.messages }
}

fn command((server, ip): &(i64, String), issued_at_ms: i64, rng: &mut StdRng) -> Command {
    let action = if rng.random_bool(0.6) { "create" } else { "revoke" };
    let id = format!("c-{:08}-{issued_at_ms}", rng.random_range(0..u32::MAX));
    Command { id, action, ip: ip.clone(), issued_at_ms, server: *server }
}

/// A connection that is built anew whenever it breaks.
struct Sender {
    urls: Vec<String>,
    /// Each is made at the next node.
    attempts: usize,
    open: Option<(Connection, Channel)>,
    messages: usize,
    database_url: String,
}

impl Sender {
    /// Commands that were sent and that no row knows yet; 0 while the database does not answer.
    async fn backlog(&self, sent: usize) -> i64 {
        let known = async {
            let mut connection = PgConnection::connect(&self.database_url).await?;
            sqlx::query_scalar::<_, i64>("SELECT count(*) FROM commands").fetch_one(&mut connection).await
        };
        match tokio::time::timeout(Duration::from_secs(5), known).await {
            Ok(Ok(known)) => sent as i64 - known,
            _ => 0,
        }
    }

    /// Sends until the broker confirms.
    async fn send(&mut self, command: &Command) {
        loop {
            let limit = Duration::from_secs(5);
            match tokio::time::timeout(limit, self.try_send(command)).await {
                Ok(Ok(true)) => break,
                _ => {
                    self.open = None;
                    self.attempts += 1;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        self.messages += 1;
    }

    async fn try_send(&mut self, command: &Command) -> Result<bool, lapin::Error> {
        if self.open.is_none() {
            let connection =
                Connection::connect(&self.urls[self.attempts % self.urls.len()], ConnectionProperties::default())
                    .await?;
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            self.open = Some((connection, channel));
        }
        let Some((_, channel)) = &self.open else { return Ok(false) };
        let issued_at = chrono::DateTime::from_timestamp_millis(command.issued_at_ms).expect("a time");
        let issued_at = issued_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let body = json!({"server_id": command.server, "ip_address": command.ip, "issued_at": issued_at}).to_string();
        let properties =
            BasicProperties::default().with_delivery_mode(2).with_message_id(ShortString::from(command.id.as_str()));
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let routing_key = ShortString::from(format!("vmac.{}", command.action));
        let confirm = channel
            .basic_publish("vmac.commands".into(), routing_key, options, body.as_bytes(), properties)
            .await?
            .await?;
        Ok(matches!(confirm, lapin::Confirmation::Ack(None)))
    }
}
