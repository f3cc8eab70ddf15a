//! Benchmarks: the limit program, micro-benchmarks and end-to-end runs.
