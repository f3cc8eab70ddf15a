//! Every bound of the data-plane process that is not `protocol`'s, `core`'s or `ring`'s.

use std::time::Duration;

/// Most workers. No host has more cores that would still share one network card's queues.
pub(crate) const WORKERS_MAX: u16 = 256;

/// Commands carried out between two looks at the network: making a transport takes some tens of
/// microseconds, and media that waits for 32 of them is still early.
pub(crate) const COMMANDS_PER_WAKEUP_MAX: usize = 32;

/// Batches of one other worker that are read between two looks at the network: each may hold some
/// fifty full packets, for every subscriber here.
pub(crate) const RELAYED_PER_WAKEUP_MAX: usize = 4;

/// Payload bytes of data messages that wait in one worker's spool; beyond it the oldest events go.
/// The number of events has its own bound in `protocol`.
pub(crate) const EVENT_BYTES_WAITING_MAX: usize = 16 << 20;

/// Events of one worker that go into one write, so that one busy worker does not keep the others
/// waiting.
pub(crate) const EVENTS_PER_WRITE_MAX: usize = 64;

/// Shortest sleep for a timer, which may make it late by this much. Going to sleep and being woken
/// costs 13 us of CPU (2026-11, virtual machine), so that some hundred peers with timers of their
/// own would cost a tenth of a core; a thousand sleeps a second cost a hundredth.
pub(crate) const TIMER_GRAIN: Duration = Duration::from_millis(1);

/// Bytes of one boot's file of evidence: some 40,000 events, a day without a control plane for a
/// clinic. What is more is lost, and its numbers show it.
pub(crate) const SPOOL_FILE_BYTES_MAX: u64 = 16 << 20;

/// Files of evidence: a data plane that dies again and again, each time with a control plane that
/// takes nothing from it, must not fill the disk.
pub(crate) const SPOOL_FILES_MAX: usize = 16;

/// Bytes of one record in a file of evidence. The longest is a refusal with its words.
pub(crate) const SPOOL_RECORD_BYTES_MAX: usize = 4 << 10;

/// Connections that have not said hello. One is usual, two meet when a control plane is replaced.
pub(crate) const CONNECTIONS_GREETING_MAX: usize = 4;

/// How long a connection may take to say hello, and to take the answer.
pub(crate) const GREETING_MAX: Duration = Duration::from_secs(5);

/// How long the workers may take to start or to stop.
pub(crate) const WORKERS_READY_MAX: Duration = Duration::from_secs(10);

/// How long the last events may take to be written when the process stops.
pub(crate) const LAST_EVENTS_MAX: Duration = Duration::from_secs(1);

/// Bytes read from the control socket at once.
pub(crate) const READ_BYTES: usize = 64 << 10;

/// Receive buffers of one worker: a burst of 512 datagrams, or of 512 trains, before the socket's
/// own buffer has to hold the rest.
pub(crate) const RECEIVE_BUFFERS: u16 = 512;

/// Outgoing slabs of one worker; more than one is in use only with zero-copy.
pub(crate) const SEND_SLABS: u16 = 16;

/// Wanted socket buffer of one worker, in bytes: 50 ms of 1 Gbit/s, counted twice as the kernel
/// does, and some more.
pub(crate) const SOCKET_BUFFER_BYTES: usize = 16 << 20;
