//! The product as its users meet it: real binary, real RabbitMQ or the embedded queue, real Postgres or
//! SQLite, simulated switches on real ports.

mod advice;
mod audit;
mod bad_input;
mod blast;
mod check;
mod compose;
mod counts;
mod crash;
mod down;
mod dry_run;
pub mod events;
mod freeze;
mod hostile;
mod http;
mod ipv6;
mod lifecycle;
mod moving;
mod names;
mod order;
mod pages;
mod paused;
mod pools;
mod replaying;
mod restore;
mod secrets;
mod shutdown;
mod subnet;
mod terminal;
mod traces;
mod watching;
pub mod world;
