//! The rules of this code base, as tests.

mod circles;
mod code;
mod data_model;
mod deploy;
mod glossary;
mod modules;
mod pages;
mod rules;
mod settings;

use std::path::Path;

/// One source file.
#[derive(Default)]
struct Source {
    /// Its path from the root of the repository, with `/`.
    path: String,
    /// As it stands.
    text: String,
    /// With comments, strings and characters blanked, line for line.
    code: String,
    /// As `code`, with `#[cfg(test)]` modules blanked too.
    shipped: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files under `folder`; none where the folder does not exist.
fn sources(folder: &str) -> Vec<Source> {
    files(folder).into_iter().filter(|path| path.ends_with(".rs")).map(|path| source(&path)).collect()
}

fn source(path: &str) -> Source {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    let code = code::blank_prose(&text);
    let of_tests = path.ends_with("/tests.rs") || path.ends_with("_tests.rs") || path.contains("/tests/");
    let shipped = if of_tests { String::new() } else { code::blank_tests(&code) };
    Source { path: path.to_string(), text, code, shipped }
}

/// All files under `folder`, as paths from the root, sorted.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![root().join(folder)];
    while let Some(path) = waiting.pop() {
        match std::fs::read_dir(&path) {
            Ok(entries) => waiting.extend(entries.map(|entry| entry.unwrap().path())),
            Err(_) if path.is_file() => found.push(from_root(&path)),
            Err(_) => {}
        }
    }
    found.sort();
    found
}

fn from_root(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/")
}

/// Fails with all violations at once.
#[track_caller]
fn assert_none(rule: &str, violations: Vec<String>) {
    assert!(violations.is_empty(), "{rule}:\n  {}", violations.join("\n  "));
}
