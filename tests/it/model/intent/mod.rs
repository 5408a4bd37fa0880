//! The rules of claims and intents, model-checked: messages of one address, with times or without, with ids or without, that
//! come in any order, twice, again after a kill, and again from a worker that was paused until the broker gave it up.
//!
//! The model is admission and settlement of `src/store` and the intake of `src/worker`, one step for each thing that can be
//! interrupted. The push itself, here three steps of one worker at a time, is in `push`. Read `state`, then `transactions`;
//! `model` says what can happen and what must hold. Each rule can be broken, and a test shows that each is needed.

mod model;
mod state;
mod transactions;
