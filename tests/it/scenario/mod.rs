//! The product as its users meet it: real binary, real RabbitMQ or the embedded queue, real Postgres or
//! SQLite, simulated switches on real ports.

mod adopt;
mod advice;
mod audit;
mod bad_input;
mod blast;
mod check;
mod compose;
mod counts;
mod crash;
mod down;
mod drift;
mod dry_run;
pub mod events;
mod evidence;
mod freeze;
mod hostile;
mod http;
mod ipv6;
mod lifecycle;
mod moving;
mod names;
mod operator;
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
