//! Cost that must not grow: with tracks per subscriber, with participants who only wait.

use crate::{
    comparison::{Effort, in_turns},
    contender::Contender,
    figure::{Figure, Goal, Unit},
    forwarding::{DROPPING, DROPPING_SLOW, load},
    load::{Load, frames},
};
use anyhow::Result;

/// Measures both.
///
/// # Errors
/// A contender does not start or does not go on.
pub fn run(effort: Effort, report: &mut dyn FnMut(Figure)) -> Result<()> {
    tracks(effort, report)?;
    idle(effort, report)
}

/// The same packets a second and the same frames, from 25 publishers and from one.
fn tracks(effort: Effort, report: &mut dyn FnMut(Figure)) -> Result<()> {
    const FRAMES: u32 = 750;
    let many = Load::one_way(25, 20, &frames(FRAMES / 25));
    let one = Load::one_way(1, 20, &frames(FRAMES));
    let contenders = [(Contender::BEDSIDE, &many), (Contender::BEDSIDE, &one)];
    let [many, one] = in_turns(contenders, DROPPING_SLOW, effort)?;
    ratio(
        "25 tracks a subscriber over 1",
        1.10,
        [&many, &one],
        effort,
        report,
    );
    Ok(())
}

/// At half of what a worker carries: those who wait have their connectivity checked every few
/// seconds, which counts for more the less there is to forward.
fn idle(effort: Effort, report: &mut dyn FnMut(Figure)) -> Result<()> {
    let alone = load(50, 800_000);
    let mut crowded = alone.clone();
    crowded.rooms.extend(Load::idle(5_000).rooms);
    let contenders = [(Contender::BEDSIDE, &crowded), (Contender::BEDSIDE, &alone)];
    let [crowded, alone] = in_turns(contenders, DROPPING, effort)?;
    ratio(
        "5,000 idle participants over none",
        1.05,
        [&crowded, &alone],
        effort,
        report,
    );
    Ok(())
}

fn ratio(
    what: &str,
    bound: f64,
    [more, less]: [&crate::comparison::Windows; 2],
    effort: Effort,
    report: &mut dyn FnMut(Figure),
) {
    let (more_cost, less_cost) = (more.cost(effort), less.cost(effort));
    report(Figure {
        run: "flatness",
        what: format!("cost: {what}"),
        unit: Unit::Ratio,
        goal: Some(Goal::AtMost(bound)),
        note: format!(
            "{:.0} ns over {:.0} ns; {}",
            more_cost.value,
            less_cost.value,
            more.note()
        ),
        measured: Some(more_cost.over(&less_cost)),
    });
}
