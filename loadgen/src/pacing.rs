//! When packets are due: open-loop schedules, and the clock that they go by.

mod clock;
mod schedule;

pub use clock::Clock;
pub use schedule::Schedule;

#[cfg(test)]
mod tests;
