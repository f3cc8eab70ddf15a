//! One publisher to many: the cost of a forwarded packet, saturated and paced, against the floor.

use crate::{
    comparison::{Effort, cost_ratio, in_turns},
    contender::Contender,
    figure::{Figure, Goal, Unit},
    load::{Load, frames},
};
use anyhow::Result;
use bedside_loadgen::light::Sinks;

/// What drops in the kernel, with one message in this many let through: often enough to count by
/// sequence numbers, seldom enough to cost nothing. Each that is let through wakes the generator,
/// which a virtual machine charges to the sender: with one in 8, the server that sent its messages
/// one after the other paid 200 ns a packet more than one that sent them all at once (2026-11).
pub const DROPPING: Sinks = Sinks::DropInKernel { pass_one_in: 128 };

/// The same for streams of so few messages a second that counting by one in 128 would be seconds
/// behind. Their messages do not come in bursts, so that the wake-ups cost any server the same.
pub const DROPPING_SLOW: Sinks = Sinks::DropInKernel { pass_one_in: 8 };

/// Packets per second that arrive in the paced runs: about a third of what the floor takes.
const PACED_PACKETS: u32 = 500_000;
/// Packets per second that would arrive in the saturated run: more than either takes.
pub const SATURATING_PACKETS: u32 = 2_800_000;
/// Half of what the saturated run offers, which is more than half of what is carried.
pub const HALF_OF_CAPACITY: u32 = SATURATING_PACKETS / 2;
/// Packets that a publisher's frame is cut into, on average.
pub const PACKETS_PER_FRAME: u32 = 9;

/// A publisher whose frames come to `packets` a second at `subscribers` receivers.
#[must_use]
pub fn load(subscribers: u32, packets: u32) -> Load {
    let fps = packets / subscribers / PACKETS_PER_FRAME;
    Load::one_way(1, subscribers as usize, &frames(fps))
}

/// Measures the row of saturation and the rows of fan-out.
///
/// # Errors
/// A contender does not start or does not go on.
pub fn run(effort: Effort, report: &mut dyn FnMut(Figure)) -> Result<()> {
    saturated(effort, report)?;
    for subscribers in [10, 50, 100] {
        paced(subscribers, effort, report)?;
    }
    Ok(())
}

fn saturated(effort: Effort, report: &mut dyn FnMut(Figure)) -> Result<()> {
    let load = load(50, SATURATING_PACKETS);
    let contenders = [(Contender::BEDSIDE, &load), (Contender::Limit, &load)];
    let [ours, floor] = in_turns(contenders, DROPPING, effort)?;
    let ratio = ours.cost(effort).over(&floor.cost(effort));
    let rate = ours.rate(effort);
    report(Figure {
        run: "forwarding",
        what: "packets a CPU-second, saturated, 1 to 50".to_owned(),
        unit: Unit::PacketsPerCpuSecond,
        goal: Some(Goal::AtLeast(1_100_000.0)),
        measured: Some(rate),
        note: ours.note(),
    });
    report(Figure {
        run: "forwarding",
        what: "the same by the limit program".to_owned(),
        unit: Unit::PacketsPerCpuSecond,
        goal: None,
        measured: Some(floor.rate(effort)),
        note: floor.note(),
    });
    report(Figure {
        run: "forwarding",
        what: "cost over the limit, saturated, 1 to 50".to_owned(),
        unit: Unit::Ratio,
        goal: Some(Goal::AtMost(1.25)),
        measured: Some(ratio),
        note: String::new(),
    });
    Ok(())
}

fn paced(subscribers: u32, effort: Effort, report: &mut dyn FnMut(Figure)) -> Result<()> {
    let load = load(subscribers, PACED_PACKETS);
    let contenders = [(Contender::BEDSIDE, &load), (Contender::Limit, &load)];
    let [ours, floor] = in_turns(contenders, DROPPING, effort)?;
    report(cost_ratio(
        "forwarding",
        format!("cost over the limit, 1 to {subscribers}, frames of 8-10"),
        1.25,
        [&ours, &floor],
        effort,
    ));
    Ok(())
}
