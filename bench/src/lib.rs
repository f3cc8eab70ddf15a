//! Benchmarks: the limit program, micro-benchmarks and end-to-end runs.
#![deny(unsafe_code)]

pub mod comparison;
pub mod consults;
pub mod contender;
pub mod engines;
pub mod figure;
pub mod flatness;
pub mod forwarding;
pub mod instructions;
pub mod joins;
pub mod latency;
pub mod limit;
pub mod load;
pub mod machine;
pub mod memory;
pub mod micro;
pub mod peers;
pub mod report;
pub mod run;
pub mod server;
