//! The examples under each verb's help.

/// Examples as they stand under a verb's help, one a line, each perhaps with a comment behind ` # `.
macro_rules! examples {
    ($($line:literal),+ $(,)?) => { concat!("Examples:", $("\n  ", $line),+) };
}
pub(super) use examples;
