//! No circles: the files of an area do not use each other in a ring, so each can be read after those it uses.

use std::collections::{BTreeMap, BTreeSet};

use super::code::{is_word, words};
use super::{Source, assert_none, sources};

/// Areas whose files must not use each other in circles. Add yours once it has none.
const AREAS: &[&str] = &["src/cli", "src/sim", "src/store", "src/web", "src/worker"];

type Uses = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_files_of_an_area_do_not_use_each_other_in_circles() {
    for area in AREAS {
        let circles = circles(uses(&sources(area)));
        let told = circles.iter().map(|(file, used)| format!("{file} uses {}", join(used)));
        assert_none(&format!("circles between files of {area}"), told.collect());
    }
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// Which module of these uses which others of these.
fn uses(sources: &[Source]) -> Uses {
    let modules: BTreeSet<String> = sources.iter().map(|source| module_of(&source.path)).collect();
    let used = sources.iter().map(|source| {
        let module = module_of(&source.path);
        let resolved = paths(&source.shipped, &module, &modules);
        let others = resolved.into_iter().filter(|used| *used != module).collect();
        (module, others)
    });
    used.collect()
}

/// `cli/ui/style` for `src/cli/ui/style.rs`, `cli/ui` for `src/cli/ui/mod.rs`.
fn module_of(path: &str) -> String {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    path.trim_end_matches("/mod").to_owned()
}

/// The modules that the paths in this code lead to: those that begin with `crate`, `super`, `self` or a child's name.
fn paths(code: &str, module: &str, modules: &BTreeSet<String>) -> BTreeSet<String> {
    let below = format!("{module}/");
    let children = modules.iter().filter_map(|other| other.strip_prefix(&below)).filter(|name| !name.contains('/'));
    let mut found = Vec::new();
    for start in ["crate", "super", "self"].into_iter().chain(children) {
        for at in words(code, start) {
            // `pub(in crate::x)` says who may see something, and uses nothing.
            let begins = !code[..at].ends_with("::") && !code[..at].ends_with("(in ");
            let begins = begins && code[at + start.len()..].starts_with("::");
            if begins {
                branches(code, at, Vec::new(), &mut found);
            }
        }
    }
    found.iter().filter_map(|path| resolve(path, module, modules)).collect()
}

/// The paths of the tree that begins here: `a::{b, c::D}` is `a::b` and `a::c::D`. Answers with where it ends.
fn branches(code: &str, mut at: usize, mut path: Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    loop {
        if code[at..].starts_with('{') {
            return group(code, at + 1, &path, found);
        }
        let name: String = code[at..].chars().take_while(|c| is_word(*c)).collect();
        at += name.len();
        path.push(name);
        if !code[at..].starts_with("::") {
            found.push(path);
            return at;
        }
        at += "::".len();
    }
}

fn group(code: &str, mut at: usize, path: &[String], found: &mut Vec<Vec<String>>) -> usize {
    while let Some(next) = code[at..].chars().next() {
        at = match next {
            '}' => return at + 1,
            next if is_word(next) && !code[..at].ends_with(" as ") => branches(code, at, path.to_vec(), found),
            next => at + next.len_utf8(),
        };
    }
    at
}

/// The module that a path names, or in which it names something; none outside these modules.
fn resolve(path: &[String], module: &str, modules: &BTreeSet<String>) -> Option<String> {
    let mut base: Vec<&str> = module.split('/').collect();
    let mut rest: &[String] = path;
    match path.first()?.as_str() {
        "crate" => {
            base.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        _ => {}
    }
    while rest.first().is_some_and(|name| name == "super") {
        base.pop();
        rest = &rest[1..];
    }
    let full: Vec<&str> = base.into_iter().chain(rest.iter().map(String::as_str)).collect();
    (1..=full.len()).rev().map(|length| full[..length].join("/")).find(|name| modules.contains(name))
}

/// What is left once everything is taken away that uses nothing else, or that nothing else uses.
fn circles(mut uses: Uses) -> Uses {
    loop {
        let all: BTreeSet<String> = uses.keys().cloned().collect();
        let used: BTreeSet<String> = uses.values().flatten().cloned().collect();
        let before = uses.len();
        uses.retain(|name, others| used.contains(name) && !others.is_disjoint(&all));
        uses.values_mut().for_each(|others| others.retain(|other| all.contains(other)));
        if uses.len() == before {
            return uses;
        }
    }
}

#[test]
fn circles_are_found_and_chains_are_none() {
    let source =
        |path: &str, code: &str| Source { path: path.to_owned(), shipped: code.to_owned(), ..Source::default() };
    let sources = [
        source("src/a/mod.rs", "mod b; use b::{B, C}; d::e::run();"),
        source("src/a/b.rs", "use crate::{a::d::{e::E, F as G}, x::Y};"),
        source("src/a/d/mod.rs", "pub mod e; pub mod f;"),
        source("src/a/d/e.rs", "fn e() { super::f::g(); }"),
        source("src/a/d/f.rs", "use super::e::{self};"),
    ];
    let uses = uses(&sources);
    let all: Vec<String> = uses.iter().map(|(name, used)| format!("{name}: {}", join(used))).collect();
    assert_eq!(all, ["a: a/b, a/d/e", "a/b: a/d, a/d/e", "a/d: ", "a/d/e: a/d/f", "a/d/f: a/d/e"]);
    let found: Vec<String> = circles(uses).into_keys().collect();
    assert_eq!(found, ["a/d/e", "a/d/f"]);
}
