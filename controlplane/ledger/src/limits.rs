//! Bounds, and why they are what they are.

use std::time::Duration;

/// Events that one transaction takes. Measured in SQLite with `synchronous=FULL`, 600-byte bodies:
/// 256 a commit carry 21,500 events/s; more would only add to the wait of the first.
pub const BATCH_EVENTS_MAX: usize = 256;

/// How long notes alone wait for company. Somebody's record never waits: what has arrived while
/// the last transaction was being committed is the next one.
pub const GATHER_MAX: Duration = Duration::from_millis(5);

/// Notes that wait to be durable. At 1 KiB each they are 16 MiB; at 50 events a consult they are
/// 300 consults' worth, which is hours of a database that is away.
pub const NOTES_WAITING_MAX: usize = 16_384;

/// Records that wait to be durable: four seconds' worth at the 1,000 joins/s that are promised.
/// Beyond that a caller is better told at once.
pub const RECORDS_WAITING_MAX: usize = 4_096;

/// How long a database may take to append before it counts as gone. Ten times the worst commit
/// that was measured on a loaded machine, below the ten seconds in which clients give up.
pub const APPEND_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a database that refuses is tried again.
pub const RETRY: Duration = Duration::from_millis(250);

/// How far the wall clock may move against the monotonic one between two batches before that is
/// recorded. NTP slews by at most 500 ppm, which is 0.5 s in a thousand seconds.
pub const TIME_STEP_MIN: Duration = Duration::from_millis(500);

/// How long a connection waits for another's lock.
pub(crate) const DATABASE_BUSY: Duration = Duration::from_secs(5);

/// Connections that read: a verification's, a search's, an export's, one to spare.
pub(crate) const READERS_MAX: u32 = 4;

/// Rows of one INSERT. SQLite takes 32,766 variables; 64 rows are 640 and parse in 0.1 ms.
pub(crate) const ROWS_PER_STATEMENT: usize = 64;

/// Subjects whose keys are kept in memory.
pub(crate) const DETAIL_KEYS_CACHED_MAX: usize = 4_096;

/// Entries that a start hashes again: 16 tiles, some 4 MiB. Everything before is bound by
/// the root and hashed by `bedside audit verify`.
pub const START_ENTRIES: u64 = 4_096;

/// How much of a mirror's end is read at start: a thousand checkpoints of several signatures.
pub(crate) const MIRROR_TAIL_BYTES: u64 = 1 << 20;

/// How often the last checkpoint is noted beside the keys. That is three flushes of the disk, a
/// hundredth of what a busy log does.
pub(crate) const HEAD_INTERVAL: Duration = Duration::from_secs(1);

/// Entries that a verification reads at once: a MiB or two.
pub(crate) const VERIFY_ENTRIES: u32 = 4_096;

/// Portions that a verification reads ahead.
pub(crate) const VERIFY_AHEAD: usize = 4;

/// Time for a witness's answer.
pub(crate) const WITNESS_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a start waits for witnesses, which may know of a longer log. One that does not answer
/// stops no start; it is asked again while the log is written.
pub(crate) const WITNESS_START_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes of a witness's answer: some signature lines.
pub(crate) const WITNESS_ANSWER_BYTES_MAX: usize = 16 << 10;

/// How long whoever follows the log waits for the next entry before they ask again.
pub(crate) const FOLLOW_WAIT: Duration = Duration::from_secs(5);
