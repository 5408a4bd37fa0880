//! vmacd
fn main() {}
