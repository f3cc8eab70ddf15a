//! Two-way consults: fan-out 1, where nothing is shared between subscribers.

use crate::{
    comparison::{Effort, cost_ratio, in_turns},
    contender::Contender,
    figure::Figure,
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
        report(cost_ratio(
            "consults",
            format!("cost over the limit, {consults} two-way consults"),
            1.35,
            [&ours, &floor],
            effort,
        ));
    }
    Ok(())
}
