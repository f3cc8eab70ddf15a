//! When packets are due: open-loop schedules.
