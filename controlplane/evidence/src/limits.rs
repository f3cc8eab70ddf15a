//! Bounds.

/// Bytes of an archive that is read. A period of a million entries has about 1.2 GB; nobody reads
/// that in a page: export it instead.
pub(crate) const ARCHIVE_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Files in an archive: a bundle has 14.
pub(crate) const FILES_MAX: usize = 32;

/// Rows of one table of the page. What is beyond is in the files, and the page says so.
pub(crate) const PAGE_ROWS_MAX: usize = 2_000;

/// Records of a bundle. Each is proven with some twenty hashes of the database.
pub(crate) const ENTRIES_MAX: usize = 50_000;

/// Records that are read from the database at once.
pub(crate) const PAGE_ENTRIES: u32 = 1_000;

/// Checkpoints among which one is looked for that a witness cosigned: at ten a second, half a
/// minute.
pub(crate) const CHECKPOINTS_LOOKED_AT: u32 = 300;
