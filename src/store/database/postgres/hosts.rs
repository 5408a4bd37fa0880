//! The hosts of a Postgres URL. sqlx knows one host; libpq knows several, in the URL (`h1:5432,h2:5433`) or as parameters
//! (`host=h1,h2&port=5432,5433`), and which of them is wanted (`target_session_attrs`): libpq's manual, 34.1.1.

use std::fmt::{self, Write as _};

use sqlx::postgres::PgConnectOptions;
use url::form_urlencoded;

/// The parameters that sqlx knows. The values of others, such as libpq's `sslpassword`, it would write to the log. Which hosts are
/// meant is read here.
const PARAMETERS: [&str; 16] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "options[",
];
/// The parameters that say which hosts are meant.
const OF_HOSTS: [&str; 4] = ["host", "hostaddr", "port", "target_session_attrs"];
const APPLICATION: &str = "vmacd";

/// Where a database is. Printed without logins.
#[derive(Clone)]
pub(in crate::store) struct Hosts {
    /// Each host, in the order of the URL; at least one.
    pub all: Vec<PgConnectOptions>,
    /// True where only one that takes writes is used.
    pub is_for_writes: bool,
}

/// Why a URL names no hosts. Repeats nothing of it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HostsError {
    /// Hosts and ports do not go together.
    #[error("`port` has another number of ports than there are hosts: give one for all, or one for each")]
    Ports,
    /// `target_session_attrs` is something that vmacd cannot work with.
    #[error("`target_session_attrs` must be `read-write`, `primary` or `any`: vmacd writes to its database")]
    Attributes,
    /// sqlx cannot read it.
    #[error("it cannot be read")]
    Unreadable(#[source] std::sync::Arc<sqlx::Error>),
}

impl Hosts {
    /// Reads the URL. With several hosts only one that takes writes is used, whatever the URL says; with one it is used as it
    /// is, unless `target_session_attrs` asks for one that takes writes.
    pub fn of(url: &str) -> Result<Self, HostsError> {
        let parts = Parts::of(url);
        let places = parts.places()?;
        let asks = match parts.parameter("target_session_attrs").unwrap_or("any") {
            "any" => false,
            "read-write" | "primary" => true,
            _ => return Err(HostsError::Attributes),
        };
        let known = parts.known_parameters();
        let of_place = |place: &String| parts.at(place, &known).parse::<PgConnectOptions>();
        let all: Result<Vec<_>, sqlx::Error> = places.iter().map(of_place).collect();
        let all = all.map_err(|source| HostsError::Unreadable(source.into()))?;
        // PgBouncer refuses parameters of the start that it does not keep for each client, in every mode.
        let ours = |host: PgConnectOptions| host.application_name(APPLICATION).extra_float_digits(None);
        let all: Vec<_> = all.into_iter().map(ours).collect();
        Ok(Self { is_for_writes: asks || all.len() > 1, all })
    }
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.iter().map(name_of)).finish()
    }
}

/// The name of a host for people.
pub(in crate::store) fn name_of(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => format!("{}:{}", socket.display(), options.get_port()),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

/// A URL in its parts, none of them decoded but the parameters.
struct Parts<'a> {
    scheme: &'a str,
    login: &'a str,
    hosts: &'a str,
    path: &'a str,
    parameters: Vec<(String, String)>,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let parameters = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { scheme, login, hosts, path, parameters }
    }

    /// The value of a parameter, where it has one; the last counts.
    fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().rev().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// Each host with its port, as a URL has it.
    fn places(&self) -> Result<Vec<String>, HostsError> {
        let mut places: Vec<(String, String)> = self.hosts.split(',').map(host_and_port).collect();
        if let Some(hosts) = self.parameter("hostaddr").or(self.parameter("host")) {
            // The ports before the path stay.
            let ports: Vec<String> = places.into_iter().map(|(_, port)| port).collect();
            places = hosts.split(',').map(in_url).zip(ports.into_iter().cycle()).collect();
        }
        if let Some(ports) = self.parameter("port") {
            let ports: Vec<&str> = ports.split(',').collect();
            if ports.len() != 1 && ports.len() != places.len() {
                return Err(HostsError::Ports);
            }
            for (place, port) in places.iter_mut().zip(ports.iter().cycle()) {
                place.1 = (*port).to_owned();
            }
        }
        let joined = |(host, port): (String, String)| if port.is_empty() { host } else { format!("{host}:{port}") };
        Ok(places.into_iter().map(joined).collect())
    }

    /// What sqlx knows of the parameters, encoded.
    fn known_parameters(&self) -> String {
        let is_known = |name: &str| {
            PARAMETERS.iter().any(|known| if known.ends_with('[') { name.starts_with(known) } else { name == *known })
        };
        let others = self.parameters.iter().filter(|(name, _)| !OF_HOSTS.contains(&name.as_str()));
        let (known, unknown): (Vec<_>, Vec<_>) = others.partition(|(name, _)| is_known(name));
        if !unknown.is_empty() {
            tracing::warn!(
                ignored = unknown.len(),
                "database.url has parameters that vmacd does not know; they are ignored"
            );
        }
        form_urlencoded::Serializer::new(String::new()).extend_pairs(known).finish()
    }

    /// The same URL with this host alone.
    fn at(&self, place: &str, parameters: &str) -> String {
        let at = if self.login.is_empty() { "" } else { "@" };
        let mut url = format!("{}://{}{at}{place}{}", self.scheme, self.login, self.path);
        if !parameters.is_empty() {
            let _ = write!(url, "?{parameters}");
        }
        url
    }
}

/// A host of a parameter as the URL would have it: an IPv6 address in brackets, the folder of a socket encoded.
fn in_url(host: &str) -> String {
    match host {
        folder if folder.starts_with('/') => form_urlencoded::byte_serialize(folder.as_bytes()).collect(),
        address if address.contains(':') => format!("[{address}]"),
        name => name.to_owned(),
    }
}

/// Host and port of a URL; the port may be empty.
fn host_and_port(place: &str) -> (String, String) {
    let end_of_host = place.rfind(']').map_or(0, |end| end + 1);
    match place[end_of_host..].split_once(':') {
        Some((host, port)) => (format!("{}{host}", &place[..end_of_host]), port.to_owned()),
        None => (place.to_owned(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(url: &str) -> Vec<String> {
        Hosts::of(url).expect("hosts").all.iter().map(name_of).collect()
    }

    fn urls(url: &str) -> Vec<String> {
        let parts = Parts::of(url);
        let known = parts.known_parameters();
        parts.places().expect("places").iter().map(|place| parts.at(place, &known)).collect()
    }

    #[test]
    fn hosts_and_ports_are_read_as_libpq_reads_them() {
        for (url, expected) in [
            ("postgres://u:p@h1:5433,h2,[::1]:5434/db", vec!["h1:5433", "h2:5432", "[::1]:5434"]),
            ("postgres://u:p@/db?host=h1,h2&port=5433,5434", vec!["h1:5433", "h2:5434"]),
            ("postgres://u:p@/db?host=h1,h2&port=5433", vec!["h1:5433", "h2:5433"]),
            ("postgres://u:p@h1,h2/db?port=1", vec!["h1:1", "h2:1"]),
            ("postgres://u:p@h1/db?hostaddr=127.0.0.1,::1", vec!["127.0.0.1:5432", "[::1]:5432"]),
            ("postgres:///db?host=/run/postgresql&port=5433", vec!["/run/postgresql:5433"]),
            ("postgres://u:p@localhost:5433/db?host=/run/postgresql", vec!["/run/postgresql:5433"]),
            ("postgres://%2Frun%2Fpostgresql/db", vec!["/run/postgresql:5432"]),
            ("postgresql://db.example.net/wsh_infra?target_session_attrs=read-write", vec!["db.example.net:5432"]),
        ] {
            assert_eq!(places(url), expected, "{url}");
        }
    }

    #[test]
    fn each_host_has_the_login_the_database_and_the_parameters_of_the_url() {
        let url = "postgres://u:p%2Fw@h1,h2:5433/x?sslmode=require&target_session_attrs=read-write&port=7,8";
        assert_eq!(
            urls(url),
            ["postgres://u:p%2Fw@h1:7/x?sslmode=require", "postgres://u:p%2Fw@h2:8/x?sslmode=require"]
        );
        let hosts = Hosts::of(url).expect("hosts");
        for options in &hosts.all {
            assert_eq!((options.get_username(), options.get_database()), ("u", Some("x")));
            assert_eq!(options.get_application_name(), Some(APPLICATION));
        }
    }

    #[test]
    fn one_that_takes_writes_is_wanted_where_there_are_several_or_the_url_says_so() {
        for (url, is_for_writes) in [
            ("postgres://h1/db", false),
            ("postgres://h1/db?target_session_attrs=any", false),
            ("postgres://h1/db?target_session_attrs=read-write", true),
            ("postgres://h1/db?target_session_attrs=primary", true),
            ("postgres://h1,h2/db", true),
        ] {
            assert_eq!(Hosts::of(url).expect("hosts").is_for_writes, is_for_writes, "{url}");
        }
        for standby in ["standby", "read-only", "prefer-standby", "nonsense"] {
            let refused = Hosts::of(&format!("postgres://h1,h2/db?target_session_attrs={standby}"));
            assert!(matches!(refused, Err(HostsError::Attributes)), "{standby}: {refused:?}");
        }
        assert!(matches!(Hosts::of("postgres://h1,h2,h3/db?port=1,2"), Err(HostsError::Ports)));
        assert!(matches!(Hosts::of("postgres://h1:port,h2/db"), Err(HostsError::Unreadable(_))));
    }

    #[test]
    fn parameters_that_would_be_logged_with_their_values_are_left_out() {
        let url = "postgres://u:p%2Fw@db:5432/x?sslmode=require&options%5Bsearch_path%5D=a+b&password=p%26w";
        assert_eq!(urls(url), [url]);
        let kept = urls("postgres://u:p%2Fw@db/x?sslpassword=s3cret&sslmode=require&s3cret");
        assert_eq!(kept, ["postgres://u:p%2Fw@db/x?sslmode=require"]);
        assert!(!urls("postgres://db/x?sslpassword=s3cret")[0].contains("s3cret"));
    }

    #[test]
    fn nothing_prints_the_password() {
        let hosts = Hosts::of("postgres://u:hunter2@h1,h2/db").expect("hosts");
        assert_eq!(format!("{hosts:?}"), r#"["h1:5432", "h2:5432"]"#);
        for url in ["postgres://u:hunter2@h1:x,h2/db", "postgres://u:hunter2@h1/db?target_session_attrs=hunter2"] {
            let error = Hosts::of(url).expect_err("no hosts");
            let text = format!("{error} {error:?}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
