//! The examples under each verb's help.

/// The examples under a verb's help, one a line, some with a comment behind ` # `.
macro_rules! examples {
    ($($line:literal),+ $(,)?) => { concat!("Examples:", $("\n  ", $line),+) };
}
pub(super) use examples;
