//! Homes of crates, sizes, and what must not be written.

use super::code::{is_word, line_of, words};
use super::{Source, assert_none, files, root, sources};

/// A crate that other code need not know, and where it lives: path prefixes.
const HOMES: &[(&str, &[&str])] = &[
    ("lapin", &["src/broker/amqp"]),
    ("async_rs", &["src/broker/amqp/socket"]),
    ("futures_io", &["src/broker/amqp/socket"]),
    ("sqlx", &["src/store"]),
    ("russh", &["src/switch/client/ssh", "src/sim/"]),
    ("axum", &["src/web"]),
    ("hyper", &["src/web/server"]),
    ("hyper_util", &["src/web/server"]),
    ("clap", &["src/cli", "src/main.rs"]),
    ("ring", &["src/store/backups/seal"]),
    (
        "base64",
        &[
            "src/config/hook_checks",
            "src/web/hooks/signature_header",
            "src/domain/webhooks/secret",
            "src/webhooks/signature",
        ],
    ),
    ("flate2", &["src/broker/content_encoding"]),
    ("hmac", &["src/web/hooks/signature", "src/webhooks/signature"]),
    ("opentelemetry", &["src/telemetry"]),
    ("opentelemetry_sdk", &["src/telemetry"]),
    ("opentelemetry_otlp", &["src/telemetry"]),
    ("opentelemetry_http", &["src/telemetry"]),
    ("tracing_opentelemetry", &["src/telemetry"]),
    ("tracing_subscriber", &["src/telemetry"]),
    ("rustls_native_certs", &["src/webhooks/client"]),
    ("ureq", &["src/telemetry", "src/webhooks"]),
];

const FILE_LINES_MAX: usize = 400;

/// The mark of a test that is left out, in halves, so that this file does not have it. What else no source may hold, clippy knows
/// (`Cargo.toml`, `clippy.toml`).
const LEFT_OUT: (&str, &str) = ("ig", "nore");

/// Folders of a machine on which this was once written; in halves, so that this file does not name them.
const MACHINE_PATHS: &[(&str, &str)] = &[("/wo", "rk/"), ("/ro", "ot/")];

#[test]
fn there_is_code_to_check() {
    assert!(!sources("src").is_empty(), "no Rust file under src");
}

#[test]
fn each_crate_has_one_home() {
    let sources = sources("src");
    let at_home = |source: &Source, homes: &[&str]| homes.iter().any(|home| source.path.starts_with(home));
    let mut violations = Vec::new();
    for (name, homes) in HOMES {
        for source in sources.iter().filter(|source| !at_home(source, homes)) {
            let lines = crate_uses(&source.shipped, name);
            violations.extend(lines.map(|line| format!("{}:{line}: {name}, whose home is {homes:?}", source.path)));
        }
    }
    assert_none("crates outside their home", violations);
}

#[test]
fn backoff_is_used_by_at_most_one_file() {
    let sources = sources("src").into_iter();
    let users: Vec<String> = sources
        .filter(|source| crate_uses(&source.shipped, "backoff").next().is_some())
        .map(|source| source.path)
        .collect();
    assert!(users.len() <= 1, "the unmaintained crate backoff is used by {users:?}");
}

/// The lines where a path starts with that crate.
fn crate_uses<'a>(code: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let starts_path = move |at: &usize| {
        let before = code[..*at].strip_suffix("::").and_then(|head| head.chars().next_back());
        let inner = before.is_some_and(|c| is_word(c) || c == '>');
        let next = &code[at + name.len()..];
        let imported = code[..*at].ends_with("use ") && (next.starts_with(';') || next.starts_with(" as "));
        !inner && (next.starts_with("::") || imported)
    };
    words(code, name).filter(starts_path).map(|at| line_of(code, at))
}

/// Where this machine's own clock may be asked: as a last resort, for pages that say how long ago something was, for the
/// time of day beside `--watch`, and in the simulated switch, which has a clock of its own.
const OWN_CLOCK: &[&str] = &["src/store/database/clock.rs", "src/web/pages/", "src/cli/ui/watch.rs", "src/sim/"];

#[test]
fn the_time_is_the_databases() {
    let mut violations = Vec::new();
    for source in sources("src").iter().filter(|source| !OWN_CLOCK.iter().any(|home| source.path.starts_with(home))) {
        for word in ["Utc::now", "SystemTime::now", "Local::now"] {
            let found = source.shipped.match_indices(word);
            violations.extend(found.map(|(at, _)| format!("{}:{}", source.path, line_of(&source.shipped, at))));
        }
    }
    assert_none("uses of this machine's clock (ask the store for the time)", violations);
}

#[test]
fn a_claim_takes_no_more_rows_than_its_limit() {
    // Postgres may run `IN (SELECT ... LIMIT n FOR UPDATE SKIP LOCKED)` once a row, and lock more rows than n each time
    // (bug #15715); what `{in}` makes of it runs once.
    let mut violations = Vec::new();
    for source in sources("src/store") {
        let strings = source.text.split('"').filter(|text| text.contains("{skip_locked}"));
        let plain = strings.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        let wrong = plain.filter(|text| text.contains("IN (SELECT") || text.contains("IN ( SELECT"));
        violations.extend(wrong.map(|text| format!("{}: {text}", source.path)));
    }
    assert_none("`IN (SELECT` with {skip_locked} (write {in}SELECT ...{/in})", violations);
}

#[test]
fn files_are_short() {
    let sources = sources("src").into_iter().chain(sources("tests")).chain(sources("benches"));
    let long =
        sources.map(|source| (source.text.lines().count(), source.path)).filter(|(lines, _)| *lines > FILE_LINES_MAX);
    assert_none("files of more than 400 lines", long.map(|(lines, path)| format!("{path}: {lines}")).collect());
}

#[test]
fn no_test_is_left_out() {
    let (mark, mut violations) = (format!("#[{}{}", LEFT_OUT.0, LEFT_OUT.1), Vec::new());
    for source in sources("src").into_iter().chain(sources("tests")) {
        let found = source.code.match_indices(&mark);
        violations.extend(found.map(|(at, _)| format!("{}:{}", source.path, line_of(&source.code, at))));
    }
    assert_none("tests that are left out", violations);
}

#[test]
fn both_engines_have_the_same_migrations() {
    let names = |engine: &str| -> Vec<String> {
        let folder = format!("migrations/{engine}/");
        files(&folder).iter().map(|path| path.trim_start_matches(&folder).to_string()).collect()
    };
    assert_eq!(names("postgres"), names("sqlite"));
}

#[test]
fn no_file_names_the_machine_it_was_written_on() {
    let folders = ["src", "tests", "benches", "docs", "migrations", ".ci", ".config", "examples"];
    let roots = ["README.md", "Cargo.toml", "compose.yaml", "Dockerfile"].map(String::from);
    let all = folders.iter().flat_map(|folder| files(folder)).chain(roots);
    let mut violations = Vec::new();
    for path in all {
        let text = std::fs::read(root().join(&path)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        for (head, tail) in MACHINE_PATHS {
            let found = text.match_indices(&format!("{head}{tail}")).next().map(|(at, _)| line_of(&text, at));
            violations.extend(found.map(|line| format!("{path}:{line}: {head}{tail}")));
        }
    }
    assert_none("paths of one machine", violations);
}

#[test]
fn uses_of_a_crate_are_told_from_names_that_look_alike() {
    let code = "use sqlx::query;\nmy::sqlx::x();\nsqlx_core::y();\nuse sqlx;\nlet sqlx = 1;\n::sqlx::z();";
    assert_eq!(crate_uses(code, "sqlx").collect::<Vec<_>>(), [1, 4, 6]);
}

#[test]
fn each_failure_that_is_documented_has_its_test() {
    let page = std::fs::read_to_string(root().join("docs/FAILURES.md")).expect("docs/FAILURES.md");
    let tests: String = sources("tests").into_iter().map(|source| source.text).collect();
    let rows = page.lines().filter(|line| line.ends_with("` |"));
    let named = rows.filter_map(|row| row.trim_end_matches("` |").rsplit('`').next());
    let missing: Vec<_> = named
        .filter(|name| !tests.contains(&format!("fn {name}(")) && !tests.contains(&format!("    {name},\n")))
        .collect();
    assert_none("rows of docs/FAILURES.md without their test", missing.into_iter().map(str::to_owned).collect());
}
