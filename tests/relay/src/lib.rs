//! A bad network between real clients and a real server: a seeded UDP relay in user space, because
//! a host without `sch_netem` has no other, and because a seed replays what happened to packet n.
//!
//! Clients send to the relay's ports, each of which stands for one of the server's. For each client
//! address it opens an upstream socket of its own, as a NAT does. What is in between is one
//! [`Link`] for each direction, shared by all of the relay's clients like the access line of a
//! household: policer, bottleneck with a queue, loss, delay. A relay for each participant gives each
//! leg its own network.
//!
//! [`Link`] has no clock and no socket: time comes in, packets and the next time come out.
//! [`Relay`] is the loop of sockets around two of them.
#![forbid(unsafe_code)]

mod limits;
mod link;
mod profile;
mod relay;
mod statistics;

pub use link::{Arrival, Backlog, Counts, Link};
pub use profile::{Burst, Change, Impairment, Profile, ProfileError, Setting};
pub use relay::{Control, Relay, Route};
pub use statistics::{DirectionStatistics, Log, LogOfDirection, Quantiles, Statistics};
