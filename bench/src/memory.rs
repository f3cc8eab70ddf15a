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
    // As many have joined before, so that what is taken once counts for nobody: memory of the ring,
    // whose pages count when they are first used.
    let mut running = Running::start(Contender::BEDSIDE, &Load::consults(consults), DROPPING)?;
    let before = running.resident_bytes()?;
    running.join(&Load::consults(consults))?;
    let after = running.resident_bytes()?;
    #[expect(clippy::cast_precision_loss, reason = "mebibytes")]
    let each = after.saturating_sub(before) as f64 / (2 * consults) as f64;
    report(Figure {
        run: "memory",
        what: "memory a participant, beyond packet memory".to_owned(),
        unit: Unit::Bytes,
        goal: Some(Goal::AtMost(64.0 * 1024.0)),
        measured: Some(Measured::counted(each)),
        note: format!(
            "{0} participants of two-way consults after {0} others",
            2 * consults
        ),
    });
    Ok(())
}
