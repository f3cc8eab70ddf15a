//! Cost that must not grow: with tracks per subscriber, with participants who only wait.

use crate::{
    comparison::{Effort, cost_ratio, in_turns},
    contender::Contender,
    figure::Figure,
    forwarding::{DROPPING, DROPPING_SLOW, HALF_OF_CAPACITY, load},
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
    report(cost_ratio(
        "flatness",
        "cost: 25 tracks a subscriber over 1".to_owned(),
        1.10,
        [&many, &one],
        effort,
    ));
    Ok(())
}

/// At half of what a worker carries: those who wait have their connectivity checked every few
/// seconds, which counts for more the less there is to forward.
fn idle(effort: Effort, report: &mut dyn FnMut(Figure)) -> Result<()> {
    let alone = load(50, HALF_OF_CAPACITY);
    let mut crowded = alone.clone();
    crowded.rooms.extend(Load::idle(5_000).rooms);
    let contenders = [(Contender::BEDSIDE, &crowded), (Contender::BEDSIDE, &alone)];
    let [crowded, alone] = in_turns(contenders, DROPPING, effort)?;
    report(cost_ratio(
        "flatness",
        "cost: 5,000 idle participants over none".to_owned(),
        1.05,
        [&crowded, &alone],
        effort,
    ));
    Ok(())
}
