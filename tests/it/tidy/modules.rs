//! Who may use whom: `cli -> {web, worker, sim} -> {broker, store, switch, webhooks} -> domain`.

use super::code::{is_word, line_of, words};
use super::{Source, assert_none, sources};
use std::collections::BTreeSet;

/// Each module of the crate's root, and the others it may use. A new module needs a row of its own.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("failpoint", &[]),
    ("config", &["domain"]),
    ("telemetry", &["domain", "config"]),
    ("store", &["domain"]),
    // The embedded queue is a table, and SQL has one home.
    ("broker", &["store", "domain"]),
    ("switch", &["domain"]),
    ("webhooks", &["domain"]),
    ("metrics", &["store"]),
    ("worker", &["broker", "store", "switch", "webhooks", "domain", "config", "telemetry", "metrics", "failpoint"]),
    ("web", &["failpoint", "broker", "store", "switch", "webhooks", "domain", "config", "metrics"]),
    // The simulator must not share the client's rendering, parsing or transactions: it would agree with its bugs.
    ("sim", &[]),
    (
        "cli",
        &["web", "worker", "sim", "broker", "store", "switch", "webhooks", "domain", "config", "metrics", "telemetry"],
    ),
];

#[test]
fn modules_use_only_what_stands_below_them() {
    let sources = sources("src");
    let planned = MAY_USE.iter().map(|(module, _)| *module);
    let modules: BTreeSet<&str> = sources.iter().filter_map(module_of).chain(planned).collect();
    let violations = sources.iter().flat_map(|source| forbidden_uses(source, &modules)).collect();
    assert_none("uses that the module table does not allow", violations);
}

/// The first part of a file's path inside the crate; none for the crate's own roots.
fn module_of(source: &Source) -> Option<&str> {
    let inside = source.path.strip_prefix("src/")?;
    let first = inside.split('/').next()?.trim_end_matches(".rs");
    (!matches!(first, "main" | "lib" | "bin")).then_some(first)
}

fn forbidden_uses(source: &Source, modules: &BTreeSet<&str>) -> Vec<String> {
    let Some(own) = module_of(source) else {
        return Vec::new();
    };
    let Some((_, allowed)) = MAY_USE.iter().find(|(module, _)| *module == own) else {
        return vec![format!("{}: the module `{own}` has no row in tests/it/tidy/modules.rs", source.path)];
    };
    let forbidden = |used: &str| used != own && !allowed.contains(&used);
    let used = root_paths(&source.shipped, depth(&source.path));
    let known = used.into_iter().filter(|(name, _)| modules.contains(name.as_str()));
    let wrong = known.filter(|(name, _)| forbidden(name));
    wrong.map(|(name, line)| format!("{}:{line}: `{own}` uses `{name}`", source.path)).collect()
}

/// How many `super::` lead from a file's module to the crate's root.
fn depth(path: &str) -> usize {
    path.matches('/').count() - usize::from(path.ends_with("/mod.rs"))
}

/// The names that follow a path to the crate's root, with their lines: `crate::x`, `super::x` where that is the
/// root, and each of `crate::{x, y::z}`.
fn root_paths(code: &str, depth: usize) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let climbs = "super::".repeat(depth);
    for prefix in ["crate::", climbs.as_str()] {
        for at in words(code, prefix.trim_end_matches(':')) {
            let Some(rest) = code[at..].strip_prefix(prefix) else {
                continue;
            };
            let names = if rest.starts_with('{') { group(rest) } else { vec![name(rest)] };
            found.extend(names.into_iter().map(|name| (name, line_of(code, at))));
        }
    }
    found
}

fn name(text: &str) -> String {
    text.trim_start().chars().take_while(|c| is_word(*c)).collect()
}

/// The first name of each entry of `{a, b::{c, d}}`.
fn group(text: &str) -> Vec<String> {
    let mut depth = 0;
    let mut names = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(c, '{' | ',') {
            names.push(name(&text[at + 1..]));
        }
    }
    names
}

#[test]
fn every_way_to_name_a_module_is_seen() {
    let code = "use crate::a::B;\nuse crate::{c, d::{e, f},\n g};\nsuper::super::h::i();\nsuper::j();";
    let names: Vec<String> = root_paths(code, 2).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "c", "d", "g", "h"]);
}

#[test]
fn the_module_table_has_no_cycle() {
    for (above, (module, allowed)) in MAY_USE.iter().enumerate() {
        let lower: Vec<&str> = MAY_USE[..above].iter().map(|(name, _)| *name).collect();
        let upwards: Vec<_> = allowed.iter().filter(|name| !lower.contains(name)).collect();
        assert!(upwards.is_empty(), "{module} uses {upwards:?}, which stand below it in the table");
    }
}
