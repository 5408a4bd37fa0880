//! A cluster of three RabbitMQ nodes, of which the one that is connected to is killed again and again.

use std::time::{Duration, Instant};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, PublisherConfirm};
use sqlx::Row;
use tokio::task::JoinHandle;
use vmacd::sim::Options;

use crate::scenario::world::World;
use crate::support::cluster::Cluster;
use crate::support::vmacd::Serve;
use crate::support::{eventually, size};

use super::bench::{Bench, message};

/// How often the connected node is killed, and how many commands are published meanwhile; a long run does the second.
const KILLS: (usize, usize) = (2, 20);
const COMMANDS: (usize, usize) = (1_000, 10_000);
/// Each address gets so many commands: create, revoke, and so on, at last a create.
const ROUNDS: usize = 5;
const SERVERS: usize = 16;
/// The longest time from a kill until commands are admitted again.
const BACK_MAX: Duration = Duration::from_secs(10);
/// Messages that the producer has unconfirmed.
const WINDOW: usize = 10;
/// Time between two windows, so that it goes on publishing while a node is killed.
const PAUSE: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread")]
async fn the_connected_node_of_a_private_cluster_is_killed_under_load_and_nothing_is_lost_or_done_twice() {
    let mut cluster = Cluster::private();
    let world = World::real_on(cluster.node(0), options()).await;
    let settings = world.settings.clone().set("VMACD_AMQP_URL", cluster.urls());
    let (kills, total) =
        (size("VMACD_TEST_TRIES", KILLS.0, KILLS.1), size("VMACD_TEST_MESSAGES", COMMANDS.0, COMMANDS.1));
    let commands = commands(&world, total);
    let mut serve = Serve::start(&settings).await;
    cluster.is_whole(0, &world.namespace).await;
    let mut producer = Producer::new(&world, cluster.urls());
    let (mut times, mut parts) = (Vec::new(), commands.chunks(total.div_ceil(kills + 1)));
    let mut published = 0;
    for part in parts.by_ref().take(kills) {
        published += part.len() as i64;
        let before = admitted(&world).await;
        let publishing = producer.start(part.to_vec());
        eventually("some are admitted", async || admitted(&world).await > before).await;
        let place = connected(&cluster, &serve);
        let lines = consuming(&serve).len();
        let killed = Instant::now();
        cluster.kill9(place);
        times.push(back(&world, &serve, (lines, published), killed).await);
        producer = publishing.await.expect("the producer goes on");
        cluster.start_again(place, &world.namespace).await;
    }
    producer.start(parts.flatten().cloned().collect()).await.expect("the producer goes on");
    times.sort();
    eprintln!("{kills} kills, {total} commands: admitting again after {times:.2?}");
    all_done_once_in_order(&world, &commands).await;
    assert!(times.iter().all(|time| *time < BACK_MAX), "{times:?}");
    assert!(serve.is_running());
}

fn options() -> Options {
    Options { switches: 2, ports_per_switch: SERVERS / 2, ..Options::default() }
}

/// A command by its message id.
#[derive(Clone)]
struct Command {
    id: String,
    routing_key: &'static str,
    body: String,
}

fn commands(world: &World, total: usize) -> Vec<Command> {
    let addresses = total / ROUNDS;
    let command = |number: usize| {
        let (address, round) = (number % addresses, number / addresses);
        let body = world.body(address % SERVERS, u32::try_from(address / SERVERS).expect("few") + 1).to_string();
        let routing_key = if round % 2 == 0 { "vmac.create" } else { "vmac.revoke" };
        Command { id: format!("n-{number:06}"), routing_key, body }
    };
    (0..addresses * ROUNDS).map(command).collect()
}

/// The lines of the log that say where commands are consumed.
fn consuming(serve: &Serve) -> Vec<String> {
    let log = serve.log();
    log.lines()
        .filter(|line| line.contains("consuming ") && line.contains("vmac.commands"))
        .map(str::to_owned)
        .collect()
}

fn connected(cluster: &Cluster, serve: &Serve) -> usize {
    let lines = consuming(serve);
    let line = lines.iter().rfind(|line| !line.contains("not consuming")).expect("it consumes");
    cluster.place_in(line).expect("a node of the cluster")
}

/// The time until a command was admitted over a new connection, or all that are to be published until then were.
async fn back(world: &World, serve: &Serve, (lines, published): (usize, i64), killed: Instant) -> Duration {
    eventually("it consumes again", async || {
        let new = consuming(serve).into_iter().skip(lines).any(|line| !line.contains("not consuming"));
        if new { Ok(()) } else { Err(serve.log()) }
    })
    .await;
    let before = admitted(world).await;
    eventually("it admits again", async || admitted(world).await > before.min(published - 1)).await;
    killed.elapsed()
}

async fn admitted(world: &World) -> i64 {
    let mut connection = world.database().connect().await;
    sqlx::query("SELECT count(*) FROM commands").fetch_one(&mut connection).await.expect("a count").get(0)
}

/// Each command has its outcome, in the order in which they were published, and each address its last create.
async fn all_done_once_in_order(world: &World, commands: &[Command]) {
    let done = "SELECT message_id, outcome FROM commands ORDER BY arrival";
    let rows: Vec<(String, Option<String>)> = eventually("every command has an outcome", async || {
        let mut connection = world.database().connect().await;
        let rows: Vec<(String, Option<String>)> =
            sqlx::query_as(done).fetch_all(&mut connection).await.expect("commands");
        let open = commands.len() - rows.iter().filter(|(_, outcome)| outcome.is_some()).count().min(commands.len());
        if open == 0 { Ok(rows) } else { Err(open) }
    })
    .await;
    let order: Vec<&str> = rows.iter().map(|(id, _)| id.as_str()).collect();
    let sent: Vec<&str> = commands.iter().map(|command| command.id.as_str()).collect();
    assert!(
        order == sent,
        "the order differs first at {:?}",
        order.iter().zip(&sent).find(|(one, other)| one != other)
    );
    assert!(rows.iter().all(|(_, outcome)| outcome.as_deref() != Some("failed")), "{rows:?}");
    world.until("active", commands.len() / ROUNDS).await;
    assert!(world.dead_letters().await.is_empty());
    world.assert_consistent().await;
}

/// Publishes in order over any node, and again over another what was not confirmed when one went away.
struct Producer {
    urls: Vec<String>,
    exchange: String,
    open: Option<(Connection, Channel)>,
    turns: usize,
}

impl Producer {
    fn new(world: &World, urls: String) -> Self {
        let exchange = format!("{}vmac.commands", world.namespace);
        Self { urls: urls.split(',').map(str::to_owned).collect(), exchange, open: None, turns: 0 }
    }

    fn start(mut self, commands: Vec<Command>) -> JoinHandle<Self> {
        tokio::spawn(async move {
            for window in commands.chunks(WINDOW) {
                while tokio::time::timeout(Duration::from_secs(5), self.publish(window)).await.ok() != Some(Ok(())) {
                    self.open = None;
                    self.turns += 1;
                }
                tokio::time::sleep(PAUSE).await;
            }
            self
        })
    }

    async fn publish(&mut self, window: &[Command]) -> Result<(), ()> {
        let (exchange, channel) = (self.exchange.clone(), self.channel().await.map_err(drop)?);
        let mut confirms: Vec<PublisherConfirm> = Vec::new();
        for command in window {
            let properties = BasicProperties::default()
                .with_delivery_mode(2)
                .with_message_id(ShortString::from(command.id.as_str()));
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let (exchange, key) = (ShortString::from(exchange.as_str()), ShortString::from(command.routing_key));
            let sent = channel.basic_publish(exchange, key, options, command.body.as_bytes(), properties);
            confirms.push(sent.await.map_err(drop)?);
        }
        for confirm in confirms {
            let confirmation = confirm.await.map_err(drop)?;
            if !matches!(confirmation, lapin::Confirmation::Ack(None)) {
                return Err(());
            }
        }
        Ok(())
    }

    async fn channel(&mut self) -> Result<Channel, lapin::Error> {
        if self.open.is_none() {
            let url = &self.urls[self.turns % self.urls.len()];
            let connection = Connection::connect(url, ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            self.open = Some((connection, channel));
        }
        Ok(self.open.as_ref().map(|(_, channel)| channel.clone()).expect("it was just opened"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_clusters_queue_whose_leader_moves_is_consumed_on_and_a_node_that_is_away_is_passed_over() {
    let mut cluster = Cluster::private();
    let bench = Bench::of(&cluster.urls()).await;
    let mut consumer = bench.commands().await;
    cluster.is_whole(0, &bench.name("")).await;
    bench.publish(&["a"]).await;
    assert_eq!(bench.receive(&mut consumer, 1).await, ["a"]);
    let queue = bench.name("vmac.commands");
    for place in [1, 2, 0] {
        transfer_leadership(&cluster, &queue, place);
        bench.publish(&["b", "c"]).await;
        assert_eq!(bench.receive(&mut consumer, 2).await, ["b", "c"]);
    }
    // Whichever node a connection begins with: the others do.
    cluster.kill9(1);
    for number in ["1", "2", "3", "4", "5", "6"] {
        let broker = bench.another().await;
        eventually("it takes a message", async || broker.publish_command(message(number)).await).await;
        broker.close().await;
    }
    assert_eq!(bench.receive(&mut consumer, 6).await, ["1", "2", "3", "4", "5", "6"]);
}

/// Has the queue's member on that node lead.
fn transfer_leadership(cluster: &Cluster, queue: &str, place: usize) {
    let port = cluster.node(place).authority().rsplit_once(':').expect("a port").1;
    let transfer = format!(
        "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>)), \
         {{Name, _}} = amqqueue:get_pid(Q), ra:transfer_leadership({{Name, node()}}, {{Name, t{port}@localhost}})."
    );
    let leads = format!(
        "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>)), amqqueue:get_pid(Q)."
    );
    let said = cluster.node(place).ctl(&["eval", &transfer]);
    let leader = cluster.node(place).ctl(&["eval", &leads]);
    assert!(said.contains("ok") || said.contains("already_leader"), "{said}; {leader}");
}
