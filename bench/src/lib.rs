//! Benchmarks: the limit program, micro-benchmarks and end-to-end runs.
#![deny(unsafe_code)]

pub mod limit;
