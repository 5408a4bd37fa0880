//! Secrets in a configuration are not shown: Junos marks each such statement with `## SECRET-DATA`.

/// The configuration with the quoted values of marked statements hidden.
pub(super) fn redact(configuration: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_values_are_hidden_and_the_rest_is_as_it_was() {
        let configuration =
            "system {\n    encrypted-password \"$6$a\\\"b\"; ## SECRET-DATA\n    host-name \"sw 1\";\n}\n";
        insta::assert_snapshot!(redact(configuration), @r#"
        system {
            encrypted-password "(hidden)"; ## SECRET-DATA
            host-name "sw 1";
        }
        "#);
        assert!(!redact("secret bare; ## SECRET-DATA").contains("bare"));
    }
}
