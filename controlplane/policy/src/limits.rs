//! Bounds.

/// Bytes of a file of rules. The largest that comes with a release has 40 KiB.
pub(crate) const RULES_BYTES_MAX: usize = 1024 * 1024;

/// Rules of a file: fifty-one places, two kinds of provider, and room.
pub(crate) const RULES_MAX: usize = 1_000;

/// Bytes of a citation, a source or a reason.
pub(crate) const RULE_TEXT_BYTES_MAX: usize = 1_000;

/// Years of a term, and an age: longer than anybody lives.
pub(crate) const RETENTION_YEARS_MAX: u16 = 120;

/// First year of the calendar: nobody with a consult was born before.
pub(crate) const YEAR_MIN: i32 = 1850;

/// Last year of the calendar: beyond any term.
pub(crate) const YEAR_MAX: i32 = 2400;
