//! Asks for confirmation at the terminal.

use std::io::{BufRead, IsTerminal, Write};

use crate::cli::fault::Fault;

/// True if there is a terminal to ask at.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks unless `yes` is given. Without a terminal this is a fault, whose hint `otherwise` says how to confirm.
pub async fn require(yes: bool, question: String, otherwise: &str) -> Result<(), Fault> {
    if yes {
        return Ok(());
    }
    if !can_ask() {
        return Err(Fault::input("this needs a confirmation and there is no terminal to ask on; nothing was done")
            .with_hint(otherwise));
    }
    match yes_or_no(question).await? {
        true => Ok(()),
        false => Err(Fault::input("not confirmed; nothing was done")),
    }
}

/// Asks on stderr; only `y` or `yes` is yes, and the end of the input is no.
pub async fn yes_or_no(question: String) -> Result<bool, Fault> {
    let answered = tokio::task::spawn_blocking(move || {
        write!(std::io::stderr(), "{question} [y/N] ")?;
        std::io::stderr().flush()?;
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        Ok::<_, std::io::Error>(is_yes(&answer))
    });
    Ok(answered.await.map_err(Fault::service)??)
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn only_yes_is_yes() {
        assert!(["y\n", "YES\n", " y "].into_iter().all(is_yes));
        assert!(!["", "\n", "n\n", "yep\n", "sure\n"].into_iter().any(is_yes));
    }
}
