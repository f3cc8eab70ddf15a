//! Light participants against a real data-plane process.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::disallowed_methods, reason = "tests are an edge")]

mod dataplane;
mod fleet;
mod scenarios;
