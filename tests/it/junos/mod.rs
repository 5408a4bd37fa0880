//! True to Junos: what the client makes of every reply shape that real switches send, what real clients make of the
//! simulated switch, and what the worker makes of every fault. The results are the tables of `docs/JUNOS.md`.

mod clients;
mod faults;
mod memory;
mod replies;
mod shapes;
