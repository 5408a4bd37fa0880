//! What may reach the terminal, and how it is written there.

pub mod escape;
pub mod streams;
