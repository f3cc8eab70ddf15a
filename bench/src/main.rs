//! The command line of `bedside-bench`.

fn main() {}
