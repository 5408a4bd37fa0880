//! The database of a running worker: it moves to its standby, it is behind a pooler, its clock jumps, its disk is full.

mod full_disk;
mod held_back;
mod lineage;
mod pooled;
mod promotions;
mod silent;
