//! Memory of participants in two-way consults, beyond what packets are kept in.

use crate::{
    contender::{Contender, Running},
    figure::{Figure, Goal, Measured, Unit},
    forwarding::DROPPING,
    load::Load,
};
use anyhow::Result;

/// Measures participants that are connected, publish and subscribe, and have sent nothing yet: what
/// packets are kept in is taken when they come.
///
/// # Errors
/// The server does not start.
pub fn run(consults: usize, report: &mut dyn FnMut(Figure)) -> Result<()> {
    // Some have joined before, so that what is taken once does not count for anybody.
    let few = Running::start(Contender::BEDSIDE, &Load::consults(10), DROPPING)?;
    let many = Running::start(Contender::BEDSIDE, &Load::consults(10 + consults), DROPPING)?;
    let (few, many) = (few.resident_bytes()?, many.resident_bytes()?);
    #[expect(clippy::cast_precision_loss, reason = "mebibytes")]
    let each = many.saturating_sub(few) as f64 / (2 * consults) as f64;
    report(Figure {
        run: "memory",
        what: "memory a participant, beyond packet memory".to_owned(),
        unit: Unit::Bytes,
        goal: Some(Goal::AtMost(64.0 * 1024.0)),
        measured: Some(Measured::counted(each)),
        note: format!("{} participants of two-way consults", 2 * consults),
    });
    Ok(())
}
