//! Help: the verbs by what they are for, and examples under each.

use clap::{Command, CommandFactory};

use super::verbs::Cli;

/// The verbs by what they are for.
const GROUPS: &[(&str, &[&str])] = &[
    ("Try it", &["demo", "sim"]),
    ("Run it", &["migrate", "serve", "backup", "config"]),
    (
        "Virtual MACs",
        &["create", "move", "rotate", "revoke", "list", "show", "history", "reserve", "release", "reservations"],
    ),
    (
        "On call",
        &["dead-letters", "switches", "backups", "audit", "rebuild", "freeze", "thaw", "freezes", "pools", "audit-log"],
    ),
    ("Set up", &["inventory", "adopt", "macs", "tokens", "webhooks", "completions", "man"]),
];

/// The command line, with its verbs in groups.
pub fn command() -> Command {
    let command = Cli::command();
    let template =
        format!("{{about}}\n\n{{usage-heading}} {{usage}}\n{}\nOptions:\n{{options}}{{after-help}}", groups(&command));
    command.help_template(template)
}

fn groups(command: &Command) -> String {
    let lines = |verbs: &[&str]| -> String { verbs.iter().map(|verb| line(command, verb)).collect() };
    GROUPS.iter().map(|(title, verbs)| format!("\n{title}:\n{}", lines(verbs))).collect()
}

fn line(command: &Command, verb: &str) -> String {
    let about = command.find_subcommand(verb).and_then(Command::get_about).map(ToString::to_string);
    format!("  {verb:<13} {}\n", about.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_verb_stands_in_one_group() {
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, verbs)| verbs.iter().copied()).collect();
        let command = command();
        let mut verbs: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        grouped.sort_unstable();
        verbs.sort_unstable();
        assert_eq!(grouped, verbs);
    }

    /// Every verb that runs, as its words, with its examples.
    fn verbs(command: &Command, words: &[String], found: &mut Vec<(Vec<String>, Vec<String>)>) {
        let words = [words, &[command.get_name().to_owned()]].concat();
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples = help.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).collect();
        if command.has_subcommands() {
            command.get_subcommands().for_each(|verb| verbs_below(verb, &words, found));
        } else {
            found.push((words, examples));
        }
    }

    fn verbs_below(verb: &Command, words: &[String], found: &mut Vec<(Vec<String>, Vec<String>)>) {
        if verb.get_name() != "help" {
            verbs(verb, words, found);
        }
    }

    /// The words that the program gets, without the comment and what the shell takes for itself.
    fn words(example: &str) -> Vec<&str> {
        let line = example.split(" # ").next().unwrap_or(example);
        line.split(" > ").next().unwrap_or(line).split_whitespace().collect()
    }

    fn parses(example: &str) {
        let matches = command().try_get_matches_from(words(example));
        let matches = matches.unwrap_or_else(|error| panic!("{example}: {error}"));
        Cli::from_arg_matches(&matches).unwrap_or_else(|error| panic!("{example}: {error}"));
    }

    #[test]
    fn every_verb_has_examples_of_itself_and_each_is_understood() {
        let mut found = Vec::new();
        verbs(&command(), &[], &mut found);
        assert!(found.len() > 20, "{found:?}");
        for (verb, examples) in found {
            assert!(!examples.is_empty(), "{} has no example", verb.join(" "));
            for example in examples {
                assert!(words(&example).starts_with(&verb.iter().map(String::as_str).collect::<Vec<_>>()), "{example}");
                parses(&example);
            }
        }
    }

    #[test]
    fn the_help_begins_with_what_matters() {
        let help = command().render_help().to_string();
        let top: Vec<&str> = help.lines().take(16).collect();
        insta::assert_snapshot!(top.join("\n"), @"
        Binds virtual MAC addresses to extra IP addresses on Juniper switch ports

        Usage: vmacd [OPTIONS] <COMMAND>

        Try it:
          demo          Try the whole product in one process: simulated switches, SQLite, the embedded queue
          sim           Run simulated switches on real ports

        Run it:
          migrate       Bring the database's tables up to date
          serve         Run the worker, the dead-letter collector and the API
          backup        Copy the whole database to a file while workers run (SQLite; for Postgres it prints the command)
          config        Print the current settings with secrets hidden

        Virtual MACs:
          create        Request a virtual MAC for an address of a server
        ");
        help.lines().filter_map(|line| line.strip_prefix("  vmacd")).for_each(|rest| parses(&format!("vmacd{rest}")));
    }
}
