//! Every bound of the log, with its reason.

/// Bytes of an entry: an entry bundle of the tiles gives its length in 16 bits (C2SP tlog-tiles,
/// "Log Entries").
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// Bytes of one value of the sealed detail; longer ones are cut. Names, addresses and reasons in
/// somebody's words are shorter.
pub const DETAIL_BYTES_MAX: usize = 2_048;

/// Bytes of all values of the sealed detail; what comes after is cut. If all of them were control
/// characters they would take six times that as JSON and eight times in base64, which still fits
/// an entry: whatever somebody calls themselves, the entry is written.
pub const DETAIL_TOTAL_BYTES_MAX: usize = 6_144;

/// Bytes of one text of an entry that is not sealed (facts, ids, authentication); longer ones are
/// cut. What the log's own code writes is shorter, what an identity provider says need not be.
pub const TEXT_BYTES_MAX: usize = 256;

/// Authentication methods (RFC 8176) kept of one log-in, and policies of one decision.
pub const LIST_LENGTH_MAX: usize = 16;

/// Bytes of each of those; longer ones are cut.
pub const LIST_TEXT_BYTES_MAX: usize = 64;

/// Entries of a log: far beyond what a clinic writes (a thousand a second for 8,900 years), and
/// small enough that the index of a stored hash cannot overflow.
pub const TREE_SIZE_MAX: u64 = 1 << 48;

/// Bytes of a log's name, so that its verifier key fits a fact of an entry.
pub const ORIGIN_BYTES_MAX: usize = 128;

/// Bytes of a checkpoint with its signatures: 100 signatures (C2SP signed-note's bound) of 200
/// bytes, with room for the text.
pub const CHECKPOINT_BYTES_MAX: usize = 32 << 10;

/// Hashes of an inclusion or consistency proof: one a level of the tree, twice for consistency.
pub const PROOF_HASHES_MAX: usize = 2 * 48;

/// Bytes of a proof bundle: the entry and the hashes in base64, and the checkpoint.
pub const BUNDLE_BYTES_MAX: usize =
    ENTRY_BYTES_MAX / 3 * 4 + PROOF_HASHES_MAX * 45 + CHECKPOINT_BYTES_MAX + 256;

/// Findings that one verification names; those beyond are counted. A reader needs the first, not a
/// million.
pub const FINDINGS_MAX: usize = 100;
