//! A switch's configuration as it is shown to people: without its secrets, and compared with another.

use similar::TextDiff;

/// The configuration with the quoted values of secret statements hidden: Junos marks each with `## SECRET-DATA`.
pub fn redacted(configuration: &str) -> String {
    configuration.split_inclusive('\n').map(redact_line).collect()
}

fn redact_line(line: &str) -> String {
    let Some((statement, mark)) = line.split_once("## SECRET-DATA") else { return line.to_owned() };
    let shown = match (statement.find('"'), statement.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            format!("{}\"(hidden)\"{}", &statement[..first], &statement[last + 1..])
        }
        _ => "(hidden); ".to_owned(),
    };
    format!("{shown}## SECRET-DATA{mark}")
}

/// The difference between two configurations, their secrets hidden, as a unified diff under these names.
pub fn difference((older, old): (&str, &str), (newer, new): (&str, &str)) -> String {
    let (old, new) = (redacted(old), redacted(new));
    TextDiff::from_lines(&old, &new).unified_diff().context_radius(3).header(older, newer).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_values_are_hidden_and_the_rest_is_as_it_was() {
        let configuration =
            "system {\n    encrypted-password \"$6$a\\\"b\"; ## SECRET-DATA\n    host-name \"sw 1\";\n}\n";
        insta::assert_snapshot!(redacted(configuration), @r#"
        system {
            encrypted-password "(hidden)"; ## SECRET-DATA
            host-name "sw 1";
        }
        "#);
        assert!(!redacted("secret bare; ## SECRET-DATA").contains("bare"));
    }
}
