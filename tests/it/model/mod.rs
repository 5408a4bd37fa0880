//! The rules that two workers keep, walked through in every interleaving by a model checker: what is decided about an
//! address (`intent`) and how it is brought to a switch (`push`).

mod intent;
mod push;
