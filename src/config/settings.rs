//! Every setting, its meaning, unit and default.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::section::{section, sections};
use super::{HookSettings, RetentionSettings, Secret};
use crate::domain::{DriftMode, RetryPolicy, ServiceUrl, ServiceUrls, Strategy};

/// Upper bounds of spans, milliseconds. Nothing that adds a span to a time comes near its limits with them.
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
const WEEK_MS: u64 = 7 * DAY_MS;
const YEAR_MS: u64 = 366 * DAY_MS;
/// Upper bound of what is counted in memory.
const MANY: usize = 65_535;

sections!(
    /// All settings.
    Settings {
        /// Where the rows are.
        database: DatabaseSettings = DatabaseSettings::default(),
        /// Where the messages are.
        amqp: AmqpSettings = AmqpSettings::default(),
        /// How the queues are named and read.
        broker: BrokerSettings = BrokerSettings::default(),
        /// Where the health, metrics and API answer.
        http: HttpSettings = HttpSettings::default(),
        /// Who may use the API.
        api: ApiSettings = ApiSettings::default(),
        /// The default switch credential and the time limits of a switch.
        ssh: SshSettings = SshSettings::default(),
        /// How long and how often a change is tried.
        retry: RetrySettings = RetrySettings::default(),
        /// How much work is taken and gathered.
        worker: WorkerSettings = WorkerSettings::default(),
        /// The per-switch lease.
        lease: LeaseSettings = LeaseSettings::default(),
        /// How much may be done, and go wrong, at one site.
        limits: LimitsSettings = LimitsSettings::default(),
        /// The slow look at what the switches hold.
        drift: DriftSettings = DriftSettings::default(),
        /// Where traces are exported to.
        telemetry: TelemetrySettings = TelemetrySettings::default(),
        /// Sending events over HTTP (docs/WEBHOOKS.md).
        webhooks: WebhookSettings = WebhookSettings::default(),
        /// How configuration backups are kept.
        backups: BackupsSettings = BackupsSettings::default(),
        /// How long old rows are kept.
        retention: RetentionSettings = RetentionSettings::default(),
        /// Further credentials by name, for switches whose inventory names one; in the file alone.
        credentials: BTreeMap<String, Credential> = BTreeMap::new(),
        /// Pools of MACs by name (docs/POOLS.md); `default` serves whatever no other one does and is always there; in the file alone.
        pools: BTreeMap<String, PoolSettings> = BTreeMap::new(),
        /// Where panels and billing systems send their events (`POST /hooks/NAME`), by name.
        hooks: BTreeMap<String, HookSettings> = BTreeMap::new(),
    }
);

section!(
    /// `[database]`
    DatabaseSettings {
        /// `sqlite://FILE` or `postgres://USER:PASSWORD@HOST/DATABASE`; in a user or password `/` is written `%2F`, `?` `%3F`, `#` `%23`,
        /// `@` `%40`, `%` `%25`. Several hosts as libpq has them, `HOST1:PORT1,HOST2:PORT2`: the one that takes writes is used.
        url: ServiceUrl = ServiceUrl::new("sqlite://vmacd.db"),
        /// Connections kept to Postgres, beside two for the outbox.
        /// More for a worker that shares hundreds of switches, fewer where Postgres allows few to all its clients together.
        connections_max: u32 = 8; 2..=100,
        /// Longest time for one statement, milliseconds.
        /// Longer for a database on slow disks.
        statement_timeout_ms: u64 = 30_000; 1_000..=HOUR_MS,
        /// Whether a pooler such as PgBouncer is between vmacd and Postgres: `none` (also for one in session mode), or `transaction` for one in
        /// transaction mode. vmacd leaves nothing in a session then, and each statement takes some round trips more.
        pooler: Pooler = Pooler::None,
        /// Postgres's own URL for migrations, which need a session, or another role; empty means `database.url`. Needed
        /// where `database.pooler` is `transaction`.
        migrate_url: ServiceUrl = ServiceUrl::default(),
        /// Whether `vmacd serve` brings the tables up to date when it starts: `auto`, or `never`, and then it refuses to start
        /// until `vmacd migrate` was run. `never` where more than one worker runs: a new one would change the tables under
        /// the old ones. An import makes a database where there is none if `database.url` names it, or if there are
        /// no settings at all, and with `never` not even then; no other verb does.
        migrate: Migrate = Migrate::Auto,
    }
);

/// What is between vmacd and Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooler {
    /// Nothing, or what gives each connection a session of its own.
    None,
    /// A pooler that gives out sessions by the transaction.
    Transaction,
}

/// Who brings the tables up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Migrate {
    /// `vmacd serve` when it starts, and an import that finds no tables at all.
    Auto,
    /// `vmacd migrate` alone.
    Never,
}

section!(
    /// `[amqp]`
    AmqpSettings {
        /// `amqp://USER:PASSWORD@HOST/VHOST` or `amqps://...`, encoded as in `database.url`; of a cluster the URL of each node, separated
        /// by commas (`%2C` for one in a password): they are tried in turn from a random one. Empty means the embedded queue, a
        /// table in the same database.
        url: ServiceUrls = ServiceUrls::default(),
        /// Certificates of a private CA in PEM form, trusted beside the system's for `amqps`; empty means none. For Postgres see
        /// `sslmode` and `sslrootcert` in its URL.
        ca_file: PathBuf = PathBuf::new(),
        /// Client certificate for `amqps`: in PEM form with those that lead to its CA, or a PKCS#12 file with certificate and key;
        /// empty means none. URLs without user and password then log in by it (SASL `EXTERNAL`).
        cert_file: PathBuf = PathBuf::new(),
        /// Private key of the client certificate in PEM form, not encrypted; empty where it is in `cert_file`.
        key_file: PathBuf = PathBuf::new(),
        /// Passphrase of a PKCS#12 file.
        key_passphrase: Secret = Secret::default(),
    }
);

section!(
    /// `[broker]`
    BrokerSettings {
        /// Put before every exchange and queue name, so that tests and tenants share a broker: letters, digits, `-`, `_`, `.`, at
        /// most 64.
        namespace: String = String::new(),
        /// Bytes of messages held unacknowledged at once, of at most 1,000 messages; from so many on nothing more is read from the
        /// broker. Of each message at most 64 KiB are held, whatever its size. Less where memory is short.
        prefetch_bytes_max: usize = 64 << 20; 1 << 20..=1 << 32,
        /// Longest time for one request to the broker, milliseconds.
        /// Longer for a broker across a slow line.
        rpc_timeout_ms: u64 = 10_000; 1_000..=HOUR_MS,
        /// How long RabbitMQ keeps every command in the stream `vmac.archive`, milliseconds: what a database lost when it failed
        /// over or was restored is read again from there. Longer than the time between two backups of the database. 0 turns it
        /// off: then such orders are lost.
        archive_age_max_ms: u64 = 3 * DAY_MS; 0..=YEAR_MS,
    }
);

section!(
    /// `[http]`
    HttpSettings {
        /// Address and port to listen on: health, metrics, the API.
        /// Another one where people or a proxy reach it from other hosts.
        addr: String = "127.0.0.1:8080".to_owned(),
        /// Connections open at the same time. Where there is no room, the one that has waited longest for a request is closed.
        /// Fewer where the limit of open files leaves no room beside switches, database and broker.
        connections_max: usize = 512; 8..=10_000,
        /// Connections of one address (of IPv6 one /64) open at the same time. All of a proxy's come from its address.
        connections_per_address_max: usize = 256; 4..=10_000,
        /// Longest time for the head of a request, for its body, and for which an idle connection is kept, milliseconds; three times
        /// as long a client may take to read what is sent to it. Longer for clients behind slow lines.
        client_timeout_ms: u64 = 10_000; 100..=14_000,
        /// Time without use after which a login to the pages ends, milliseconds. The updates that an open page fetches by itself do
        /// not count as use.
        /// Set it to what your session policy requires.
        session_idle_ms: u64 = 28_800_000; 1_000..=2_592_000_000,
        /// Time after which a login to the pages ends in any case, milliseconds.
        /// Set it to what your session policy requires.
        session_age_max_ms: u64 = 604_800_000; 1_000..=31_536_000_000,
    }
);

section!(
    /// `[api]`
    ApiSettings {
        /// Bearer token for everything but `/healthz` and `/readyz`; required when `http.addr` is not a loopback address.
        token: Secret = Secret::default(),
    }
);

section!(
    /// `[ssh]`
    SshSettings {
        /// User of the default credential.
        user: String = "vmacd".to_owned(),
        /// Private key file of the default credential, OpenSSH or PEM form; empty means none.
        key_file: PathBuf = PathBuf::new(),
        /// Passphrase of the key file.
        key_passphrase: Secret = Secret::default(),
        /// Password of the default credential.
        password: Secret = Secret::default(),
        /// Ask the SSH agent at `SSH_AUTH_SOCK` for the default credential.
        agent: bool = false,
        /// Longest time to connect and log in, milliseconds.
        /// Longer for switches whose key exchange takes long.
        connect_timeout_ms: u64 = 10_000; 1_000..=HOUR_MS,
        /// Longest time for one answer other than to a commit, milliseconds.
        /// Longer for switches that take longer to show a large configuration.
        rpc_timeout_ms: u64 = 60_000; 1_000..=HOUR_MS,
        /// Longest time for the answer to a commit, milliseconds; commits of a Virtual Chassis take minutes. A shutdown waits for
        /// it, and for the confirmation after it, so whoever stops the process must wait twice as long (`TimeoutStopSec`).
        commit_timeout_ms: u64 = 300_000; 1_000..=HOUR_MS,
        /// Minutes after which the switch rolls an unconfirmed commit back; longer than `commit_timeout_ms`.
        confirm_timeout_min: u32 = 10; 1..=65_535,
        /// Time an idle session is kept open, milliseconds.
        /// 0 for switches that allow only few sessions.
        session_idle_ms: u64 = 30_000; 0..=DAY_MS,
    }
);

section!(
    /// `[telemetry]`
    TelemetrySettings {
        /// Base URL of an OpenTelemetry collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318`; empty means
        /// that no traces are exported. `http` alone: a collector on this host carries them on encrypted. The standard
        /// variable `OTEL_EXPORTER_OTLP_ENDPOINT` sets it too.
        otlp_endpoint: ServiceUrl = ServiceUrl::default(),
        /// Name under which the traces appear. The standard variable `OTEL_SERVICE_NAME` sets it too.
        /// Another one where several installations share a collector.
        service_name: String = "vmacd".to_owned(),
        /// Part of the traces that is exported where the producer has not decided.
        /// Less where traces are paid for by number.
        sample_ratio: f64 = 1.0; 0.0..=1.0,
    }
);

section!(
    /// `[webhooks]`
    WebhookSettings {
        /// Internal nets that webhooks may be sent to, such as `10.1.0.0/16` or one address; all other private, loopback and
        /// link-local addresses are refused, so that nobody who may add a webhook reaches services inside by it. In a variable they are
        /// separated by commas.
        internal: Vec<String> = Vec::new(),
        /// Longest time for one delivery from connecting to the whole answer, milliseconds.
        /// Longer for a receiver that answers only once it has done its work.
        answer_timeout_ms: u64 = 15_000; 100..=HOUR_MS / 60,
        /// How long a delivery is tried before it is dead, milliseconds.
        age_max_ms: u64 = DAY_MS; 100..=WEEK_MS,
    }
);

section!(
    /// `[backups]`
    BackupsSettings {
        /// File of backup keys (`vmacd backups keygen`): the first seals every new backup, each of them opens; empty leaves
        /// backups readable in the database.
        key_file: PathBuf = PathBuf::new(),
    }
);

section!(
    /// `[credentials.NAME]`
    Credential {
        /// User.
        user: String = String::new(),
        /// Private key file; empty means none.
        key_file: PathBuf = PathBuf::new(),
        /// Passphrase of the key file.
        key_passphrase: Secret = Secret::default(),
        /// Password.
        password: Secret = Secret::default(),
        /// Ask the SSH agent.
        agent: bool = false,
    }
);

section!(
    /// `[pools.NAME]`
    PoolSettings {
        /// How a MAC is found: `random` under the prefix; `from-address`, 02:00 and the octets of the IPv4 address (for an IPv6 one
        /// it is drawn); `tagged`, drawn under 02 and the tag.
        strategy: Strategy = Strategy::Random,
        /// The octets that the MACs begin with, one to five, such as `02:a5:10`; no two pools have the same.
        prefix: String = "02".to_owned(),
        /// The second octet of a tagged pool, two hexadecimal digits.
        tag: String = String::new(),
        /// VLANs that it serves; together with `switches` only what is in one of both.
        vlans: Vec<String> = Vec::new(),
        /// Switches that it serves, by their names in the inventory: creates for servers with a port there.
        switches: Vec<String> = Vec::new(),
    }
);

section!(
    /// `[retry]`
    RetrySettings {
        /// Attempts before a change is dead-lettered for failures of its own. A switch that is away, locked or in trouble costs
        /// no attempt.
        attempts_max: u32 = 8; 1..=1_000_000,
        /// Shortest delay before another attempt, milliseconds.
        /// A shorter one goes on sooner and asks switch and database more often.
        delay_min_ms: u64 = 1_000; 10..=WEEK_MS,
        /// Longest delay before another attempt, milliseconds; at least `delay_min_ms`.
        delay_max_ms: u64 = 900_000; 10..=WEEK_MS,
        /// Longest delay before another attempt on a switch that is away, locked or in trouble, milliseconds; one that refuses
        /// the login is tried as seldom as `delay_max_ms` says.
        switch_delay_max_ms: u64 = 20_000; 10..=WEEK_MS,
        /// How long a change waits for its switch's trouble to pass before it is dead-lettered, milliseconds. A freeze does not
        /// count.
        age_max_ms: u64 = 86_400_000; 1_000..=YEAR_MS,
        /// How long a change waits for its switch before the event `vmac.waiting` tells its producer, milliseconds.
        /// Raise it where producers do not need to know of short waits.
        tell_after_ms: u64 = 60_000; 0..=YEAR_MS,
    }
);

section!(
    /// `[worker]`
    WorkerSettings {
        /// Name of this worker in leases and logs; empty means host name and process id.
        /// A name of its own tells workers on one host apart.
        name: String = String::new(),
        /// Changes in one commit.
        /// Fewer for switches that take long to load many statements.
        changes_per_commit_max: usize = 2_000; 1..=MANY,
        /// Sessions to switches open at the same time; an eighth of them for switches that failed last time.
        /// Fewer where the limit of open files or memory is low.
        sessions_max: usize = 512; 1..=MANY,
        /// Switches pushed to at the same time.
        /// Fewer where memory is short: each push holds a configuration.
        pushes_max: usize = 64; 1..=MANY,
        /// Time that a shutdown waits beyond the commit in flight, milliseconds.
        /// Less where whoever stops the process waits for less.
        shutdown_grace_ms: u64 = 20_000; 0..=HOUR_MS,
        /// Ask a switch after its pushes, and with each look for drift, whether the bindings are in force, and which of its own tables show them.
        /// `false` where each request to a switch is accounted or its releases show no such table.
        evidence: bool = true,
    }
);

section!(
    /// `[drift]`
    DriftSettings {
        /// Time between two looks at what a switch holds, milliseconds; 0 means that nobody looks.
        /// More seldom where logins on switches are accounted.
        interval_ms: u64 = 3_600_000; 0..=YEAR_MS,
        /// Time between two looks at a switch's commit history, milliseconds; a commit that is not vmacd's brings the look at what
        /// it holds forward. Each is a login and one request. 0 means none.
        history_interval_ms: u64 = 300_000; 0..=YEAR_MS,
        /// What is done where a switch holds something else than was pushed, unless its inventory says otherwise: `observe` tells
        /// it by an event, `enforce` also pushes again what is vmacd's, `off` does not look.
        mode: DriftMode = DriftMode::Observe,
    }
);

section!(
    /// `[lease]`
    LeaseSettings {
        /// Time after which a lease that is not renewed may be taken, milliseconds.
        /// Longer where the database stalls for longer; after the death of a worker its switches wait for so long.
        ttl_ms: u64 = 30_000; 1_000..=HOUR_MS,
    }
);

section!(
    /// `[limits]`
    LimitsSettings {
        /// Switches of one site pushed to at the same time by one worker; 0 means as many as `worker.pushes_max`.
        /// Fewer where a site is to change slowly.
        site_pushes_max: usize = 0; 0..=MANY,
        /// Commits on the switches of one site in a minute, by all workers together; 0 means any number.
        /// For sites whose AAA or logging servers see each commit.
        site_commits_per_minute_max: u32 = 0; 0..=1_000_000,
        /// Switches of one site whose commits may be rolled back or lost within ten minutes; with so many the site is frozen
        /// until somebody thaws it. Fewer where a site has few switches; 0 means that no site is frozen.
        stop_failures_max: u32 = 5; 0..=1_000_000,
    }
);

impl RetrySettings {
    /// The same as the policy that they are.
    pub const fn policy(&self) -> RetryPolicy {
        RetryPolicy {
            attempts_max: self.attempts_max,
            delay_min: Duration::from_millis(self.delay_min_ms),
            delay_max: Duration::from_millis(self.delay_max_ms),
            switch_delay_max: Duration::from_millis(self.switch_delay_max_ms),
            age_max: Duration::from_millis(self.age_max_ms),
            tell_after: Duration::from_millis(self.tell_after_ms),
        }
    }
}

impl Settings {
    /// The credential of that name: `default` is the one of `[ssh]`.
    pub fn credential(&self, name: &str) -> Option<Credential> {
        if name != "default" {
            return self.credentials.get(name).cloned();
        }
        let ssh = &self.ssh;
        Some(Credential {
            user: ssh.user.clone(),
            key_file: ssh.key_file.clone(),
            key_passphrase: ssh.key_passphrase.clone(),
            password: ssh.password.clone(),
            agent: ssh.agent,
        })
    }
}
