//! Two-way consults: fan-out 1, where nothing is shared between subscribers.

use crate::{
    comparison::{Effort, in_turns},
    contender::Contender,
    figure::{Figure, Goal, Unit},
    forwarding::DROPPING_SLOW,
    load::Load,
};
use anyhow::Result;

/// Measures 200 and 1,000 consults on one worker.
///
/// # Errors
/// A contender does not start or does not go on.
pub fn run(effort: Effort, report: &mut dyn FnMut(Figure)) -> Result<()> {
    for consults in [200, 1_000] {
        let load = Load::consults(consults);
        let contenders = [(Contender::BEDSIDE, &load), (Contender::Limit, &load)];
        let [ours, floor] = in_turns(contenders, DROPPING_SLOW, effort)?;
        let (our_cost, floor_cost) = (ours.cost(effort), floor.cost(effort));
        report(Figure {
            run: "consults",
            what: format!("cost over the limit, {consults} two-way consults"),
            unit: Unit::Ratio,
            goal: Some(Goal::AtMost(1.35)),
            note: format!(
                "{:.0} ns over {:.0} ns; {}",
                our_cost.value,
                floor_cost.value,
                ours.note()
            ),
            measured: Some(our_cost.over_floor(&floor_cost)),
        });
    }
    Ok(())
}
