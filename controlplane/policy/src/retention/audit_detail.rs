//! How long the audit log's own detail is kept.

use super::{AppliesTo, RetentionRules};
use crate::rules::Day;

/// The term is shorter than the rules allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{years} years are less than the {least} that documentation is kept (45 CFR 164.316(b)(2)(i)): \
     ask for {least} or more"
)]
pub struct TermTooShort {
    /// What was asked for.
    pub years: u16,
    /// What the rules ask for.
    pub least: u16,
}

/// The first year whose detail is still kept on `today`, where detail is kept `years`: that of all
/// years before may be destroyed. Keys are of whole years, so that the last day of a year decides.
///
/// # Errors
/// [`TermTooShort`] below what the rules ask for documentation, which is never less than six years.
pub fn audit_detail_ends_before(
    rules: &RetentionRules,
    today: Day,
    years: u16,
) -> Result<u16, TermTooShort> {
    let documentation = rules
        .iter()
        .filter(|rule| rule.applies_to == AppliesTo::Documentation)
        .map(|rule| rule.years);
    let least = documentation.fold(DOCUMENTATION_YEARS_MIN, u16::max);
    if years < least {
        return Err(TermTooShort { years, least });
    }
    Ok(today.year().saturating_sub(years))
}

/// 45 CFR 164.316(b)(2)(i).
const DOCUMENTATION_YEARS_MIN: u16 = 6;
