//! The product at its limits: no room, no connection, no memory at the broker, more messages than memory holds, more
//! dead switches than one would like.

mod alarm;
mod connections;
mod dead_third;
mod depth;
mod disk;
mod long_bodies;
mod memory;
mod scaling;
