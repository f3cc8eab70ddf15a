//! Two-way consults: fan-out 1, where nothing is shared between subscribers.

use crate::{
    comparison::{Effort, in_turns},
    contender::Contender,
    figure::{Figure, Goal, Unit},
    load::Load,
};
use anyhow::Result;
use bedside_loadgen::light::Sinks;

/// One message in 8 let through: a consult's streams have so few messages a second that counting by
/// one in 128 would be seconds behind. Nobody's messages come in bursts here, so that the wake-ups cost
/// both servers the same.
const DROPPING_SOME: Sinks = Sinks::DropInKernel { pass_one_in: 8 };

/// Measures 200 and 1,000 consults on one worker.
///
/// # Errors
/// A contender does not start or does not go on.
pub fn run(effort: Effort, report: &mut dyn FnMut(Figure)) -> Result<()> {
    for consults in [200, 1_000] {
        let load = Load::consults(consults);
        let contenders = [(Contender::BEDSIDE, &load), (Contender::Limit, &load)];
        let [ours, floor] = in_turns(contenders, DROPPING_SOME, effort)?;
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
