//! The command line of `bedside-loadgen`.
#![forbid(unsafe_code)]

fn main() {}
