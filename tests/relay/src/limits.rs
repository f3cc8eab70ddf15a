//! Named bounds.

/// Client addresses of one relay. A browser opens one for each of its own addresses and transports.
pub(crate) const FLOWS_MAX: usize = 256;

/// Packets on their way in one direction, in the queue or behind it: 1 s at 500 Mbit/s.
pub(crate) const PACKETS_MAX: usize = 65_536;

/// Largest UDP payload.
pub(crate) const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Datagrams read from one socket before the others and the clock get a turn.
pub(crate) const READS_PER_TURN: usize = 64;

/// Asked of the kernel for each socket, so that a turn that comes late loses nothing.
pub(crate) const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// Between two entries of the log, in milliseconds.
pub(crate) const LOG_INTERVAL_MS: u64 = 50;

/// Entries of the log: an hour.
pub(crate) const LOG_ENTRIES_MAX: usize = 72_000;

/// Changes in a profile's time line.
pub(crate) const CHANGES_MAX: usize = 1_024;

/// Longest time in a profile, in milliseconds: a minute is slower than any network in use.
pub(crate) const TIME_MS_MAX: f64 = 60_000.0;

/// Longest line of standard input.
pub(crate) const LINE_BYTES_MAX: usize = 256;
