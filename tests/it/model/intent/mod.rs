//! The rules of claims and intents, model-checked: messages of one address, with times or without, that come in any order, twice, again after a
//! crash, again from the retry ladder and again from the sweeper, taken in by two workers.
//!
//! The model is admission, settlement and giving up of `src/store` and intake, settle and sweep of `src/worker`, one step
//! for each thing that can be interrupted. The push itself, here three steps of one worker at a time, is in `push`. Read
//! `state`, then `transactions`; `model` says what can happen and what must hold. Each rule can be broken, and a test
//! shows that each is needed.

mod model;
mod state;
mod transactions;
