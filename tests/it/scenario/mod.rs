//! The product as its users meet it: real binary, real RabbitMQ or the embedded queue, real Postgres or
//! SQLite, simulated switches on real ports.

mod bad_input;
mod check;
mod compose;
mod counts;
mod crash;
mod down;
pub mod events;
mod hostile;
mod http;
mod lifecycle;
mod names;
mod order;
mod pages;
mod paused;
mod secrets;
mod shutdown;
mod traces;
pub mod world;
