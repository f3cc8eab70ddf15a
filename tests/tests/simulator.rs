//! Whole rooms on virtual time. A failure prints its seed; a seed that failed becomes a scenario.
#![forbid(unsafe_code)]

use bedside_protocol::{Event, Layer};
use bedside_tests::{Impairment, Participant, Simulation, Video};
use std::time::Duration;

const GOOD: Impairment = Impairment {
    delay: Duration::from_millis(10),
    ..Impairment::NONE
};

const BAD: Impairment = Impairment {
    delay: Duration::from_millis(15),
    jitter: Duration::from_millis(12),
    loss: 0.02,
    duplication: 0.01,
    ..Impairment::NONE
};

/// What holds in every scenario.
fn check(simulation: &Simulation, seed: u64) {
    let violations = simulation.violations();
    assert!(violations.is_empty(), "seed {seed}: {violations:#?}");
    let silent = simulation.silent();
    assert!(
        silent.is_empty(),
        "seed {seed}: streams that brought nothing: {silent:x?}"
    );
    for (room, event) in simulation.events() {
        assert!(
            !matches!(event, Event::Refused { .. }),
            "seed {seed}: {room:?} {event:?}"
        );
    }
}

/// Everybody in a room of `count` receives everybody else.
fn room(simulation: &mut Simulation, room: u16, first: u16, count: u16, impairment: Impairment) {
    for number in first..first + count {
        simulation.join(Participant { number, room }, impairment);
    }
    for subscriber in first..first + count {
        for publisher in (first..first + count).filter(|&publisher| publisher != subscriber) {
            let layer = Layer::ALL[usize::from((subscriber + publisher) % 3)];
            simulation.subscribe(subscriber, publisher, layer);
        }
    }
}

fn fifty(seed: u64) -> Simulation {
    let mut simulation = Simulation::new(seed);
    room(&mut simulation, 1, 0, 50, BAD);
    simulation.run(Duration::from_secs(3));
    simulation
}

#[test]
fn fifty_participants_with_loss_and_reorder_twice_with_the_same_result() {
    let seed = 20_261_124;
    let first = fifty(seed);
    check(&first, seed);
    let figures = first.figures();
    let packets: u64 = figures.values().map(|figures| figures.packets).sum();
    let repaired: u64 = figures.values().map(|figures| figures.repaired).sum();
    let missing: u64 = figures.values().map(|figures| figures.missing).sum();
    let frames: u64 = figures.values().map(|figures| figures.frames).sum();
    println!(
        "seed {seed}: {packets} packets, {repaired} repaired, {missing} missing, {frames} frames"
    );
    assert!(repaired > 1_000, "loss was repaired");
    assert!(
        missing * 1_000 < packets,
        "{missing} of {packets} packets were never repaired"
    );
    for (number, figures) in &figures {
        // 10 pictures a second from 49 others, less the time until the first key frame.
        assert!(
            figures.frames > 49 * 20,
            "participant {number} decoded {}",
            figures.frames
        );
        assert!(
            figures.transport_feedback > 20,
            "participant {number}: {figures:?}"
        );
        assert!(
            figures.report_blocks > 0,
            "participant {number}: {figures:?}"
        );
    }

    let second = fifty(seed);
    assert_eq!(
        first.digest(),
        second.digest(),
        "seed {seed}: two runs differ"
    );
    assert_eq!(first.figures(), second.figures());
    assert_ne!(
        first.digest(),
        another_digest(seed + 1),
        "the seed decides something"
    );
}

fn another_digest(seed: u64) -> u64 {
    let mut simulation = Simulation::new(seed);
    room(&mut simulation, 1, 0, 3, BAD);
    simulation.run(Duration::from_secs(1));
    simulation.digest()
}

#[test]
fn two_rooms_never_hear_each_other() {
    let seed = 2;
    let mut simulation = Simulation::new(seed);
    room(&mut simulation, 1, 0, 4, GOOD);
    room(&mut simulation, 2, 10, 3, GOOD);
    simulation.run(Duration::from_secs(2));
    check(&simulation, seed);
}

#[test]
fn layers_are_switched_without_a_gap_or_a_wrong_picture() {
    for (seed, impairment) in [(3, GOOD), (4, BAD)] {
        let mut simulation = Simulation::new(seed);
        room(&mut simulation, 1, 0, 2, impairment);
        simulation.run(Duration::from_secs(2));
        let wanted = [
            Layer::High,
            Layer::Low,
            Layer::Medium,
            Layer::High,
            Layer::Medium,
        ];
        for layer in wanted {
            simulation.select(1, 0, layer, false);
            simulation.run(Duration::from_secs(2));
            assert_eq!(shown(&simulation, 1, 0), Some(layer), "seed {seed}");
        }
        check(&simulation, seed);
        let figures = simulation.figures()[&1];
        assert!(figures.switches >= 5, "seed {seed}: {figures:?}");
        assert!(figures.missing <= 2, "seed {seed}: {figures:?}");
    }
}

#[test]
fn a_pause_leaves_no_trace_in_the_numbering() {
    let seed = 5;
    let mut simulation = Simulation::new(seed);
    room(&mut simulation, 1, 0, 2, BAD);
    simulation.run(Duration::from_secs(2));
    for _ in 0..3 {
        simulation.select(1, 0, Layer::High, true);
        simulation.run(Duration::from_secs(1));
        let paused = simulation.figures()[&1].frames;
        simulation.run(Duration::from_secs(1));
        assert_eq!(
            simulation.figures()[&1].frames,
            paused,
            "seed {seed}: paused"
        );
        assert_eq!(shown(&simulation, 1, 0), None);
        simulation.select(1, 0, Layer::High, false);
        simulation.run(Duration::from_secs(2));
        assert!(
            simulation.figures()[&1].frames > paused + 10,
            "seed {seed}: goes on"
        );
    }
    check(&simulation, seed);
}

#[test]
fn a_new_control_plane_changes_nothing_that_it_names_and_ends_the_rest() {
    let seed = 6;
    let mut simulation = Simulation::new(seed);
    room(&mut simulation, 1, 0, 4, GOOD);
    simulation.run(Duration::from_secs(2));
    let before = simulation.figures();
    simulation.take_over(&[3]);
    simulation.run(Duration::from_secs(2));
    check(&simulation, seed);
    for (number, figures) in simulation.figures() {
        let frames = figures.frames - before[&number].frames;
        assert!(
            frames >= 2 * 2 * 9,
            "participant {number} saw {frames} frames after it"
        );
        assert_eq!(figures.missing, 0);
    }
}

#[test]
fn when_everybody_has_left_nothing_is_left_to_do() {
    let seed = 7;
    let mut simulation = Simulation::new(seed);
    room(&mut simulation, 1, 0, 5, BAD);
    simulation.run(Duration::from_secs(2));
    check(&simulation, seed);
    for number in 0..5 {
        simulation.leave(number);
        simulation.run(Duration::from_millis(300));
    }
    simulation.command(1, &bedside_protocol::Command::RemoveRoom);
    simulation.run(Duration::from_secs(10));
    assert_eq!(
        simulation.poll_timeout(),
        None,
        "seed {seed}: a timer is left"
    );
}

fn spanning(seed: u64) -> Simulation {
    let mut simulation = Simulation::with_workers(seed, 3);
    room(&mut simulation, 1, 0, 12, BAD);
    simulation.run(Duration::from_secs(4));
    simulation
}

#[test]
fn a_room_on_three_workers_is_one_room() {
    let seed = 11;
    let first = spanning(seed);
    check(&first, seed);
    for (number, figures) in first.figures() {
        assert!(
            figures.frames > 11 * 25,
            "seed {seed}: participant {number} decoded {}",
            figures.frames
        );
        assert!(
            figures.missing * 500 < figures.packets,
            "seed {seed}: participant {number}: {figures:?}"
        );
    }
    for statistics in first.statistics() {
        assert!(statistics.relayed > 1_000, "seed {seed}: {statistics:?}");
        assert!(statistics.received_relayed > 1_000, "{statistics:?}");
        assert_eq!(statistics.relay_dropped, 0, "seed {seed}: {statistics:?}");
    }
    let second = spanning(seed);
    assert_eq!(
        first.digest(),
        second.digest(),
        "seed {seed}: two runs differ"
    );
}

#[test]
fn layers_are_switched_on_another_worker_as_on_the_same() {
    for (seed, impairment) in [(12, GOOD), (13, BAD)] {
        let mut simulation = Simulation::with_workers(seed, 2);
        room(&mut simulation, 1, 0, 2, impairment);
        simulation.run(Duration::from_secs(2));
        for layer in [Layer::High, Layer::Low, Layer::Medium, Layer::High] {
            simulation.select(1, 0, layer, false);
            simulation.run(Duration::from_secs(2));
            assert_eq!(shown(&simulation, 1, 0), Some(layer), "seed {seed}");
        }
        check(&simulation, seed);
        let figures = simulation.figures()[&1];
        assert!(figures.missing <= 2, "seed {seed}: {figures:?}");
        // The other way there is nobody who asks on the publisher's worker.
        let statistics = simulation.statistics();
        assert!(statistics[0].key_frame_requests >= 4, "{statistics:?}");
    }
}

#[test]
fn the_parts_of_a_room_are_taken_over_by_a_new_control_plane() {
    let seed = 14;
    let mut simulation = Simulation::with_workers(seed, 3);
    room(&mut simulation, 1, 0, 6, GOOD);
    simulation.run(Duration::from_secs(2));
    let before = simulation.figures();
    simulation.take_over(&[4, 5]);
    simulation.run(Duration::from_secs(2));
    check(&simulation, seed);
    for (number, figures) in simulation.figures() {
        let frames = figures.frames - before[&number].frames;
        assert!(
            frames >= 3 * 2 * 9,
            "participant {number} saw {frames} frames after it"
        );
        assert_eq!(figures.missing, 0, "participant {number}: {figures:?}");
    }
    for number in 0..4 {
        simulation.leave(number);
        simulation.run(Duration::from_millis(300));
    }
    check(&simulation, seed);
    simulation.command(1, &bedside_protocol::Command::RemoveRoom);
    simulation.run(Duration::from_secs(10));
    assert_eq!(
        simulation.poll_timeout(),
        None,
        "seed {seed}: a timer is left"
    );
}

/// The layer that was last reported as being shown.
fn shown(simulation: &Simulation, subscriber: u16, publisher: u16) -> Option<Layer> {
    let (peer, video) = simulation.video(subscriber, publisher);
    simulation
        .events()
        .iter()
        .rev()
        .find_map(|(_, event)| match event {
            Event::SubscriptionLayer {
                subscriber,
                track,
                layer,
            } if *subscriber == peer && *track == video => Some(*layer),
            _ => None,
        })?
}

/// A patient (0) and a clinician (1): what is between the patient and the server, and between the
/// server and the clinician. The other way both have [`LEG`].
fn consult(
    seed: u64,
    (video, gives_feedback): (Video, bool),
    up: Impairment,
    down: Impairment,
) -> Simulation {
    let mut simulation = Simulation::new(seed);
    simulation.join_on(Participant { number: 0, room: 1 }, up, LEG);
    simulation.join_on(Participant { number: 1, room: 1 }, LEG, down);
    for (number, other) in [(0, 1), (1, 0)] {
        simulation.behave(number, video, gives_feedback);
        simulation.subscribe(number, other, Layer::High);
    }
    simulation
}

/// 20 ms and nothing else.
const LEG: Impairment = Impairment {
    delay: Duration::from_millis(20),
    ..Impairment::NONE
};

/// What the clinician has heard and seen of the patient.
#[derive(Debug)]
struct Quality {
    delay_max: Duration,
    /// Share of audio that never came.
    audio_lost: f64,
    /// Longest time between two frames.
    freeze: Duration,
    frames: usize,
}

/// Of what was captured and shown between two times.
fn quality(simulation: &Simulation, from: Duration, until: Duration) -> Quality {
    let endpoint = simulation.endpoint(1);
    let heard = endpoint.heard().iter();
    let mut delays: Vec<_> = heard
        .filter(|heard| (from..until).contains(&heard.captured))
        .map(|heard| heard.delay)
        .collect();
    delays.sort_unstable();
    let sent = (until - from).as_millis() / 20;
    let shown = endpoint.shown().iter();
    let times: Vec<_> = shown
        .map(|shown| shown.at)
        .filter(|at| (from..until).contains(at))
        .collect();
    let freeze = times.windows(2).map(|pair| pair[1] - pair[0]).max();
    Quality {
        delay_max: delays[delays.len() - 1],
        audio_lost: 1.0 - delays.len() as f64 / sent as f64,
        freeze: freeze.unwrap_or(until - from),
        frames: times.len(),
    }
}

/// 20 s of a consult, of which the first four are its beginning, with `bad` once on the receiver's
/// leg and once on the sender's.
fn on_either_leg(seed: u64, sends: (Video, bool), bad: Impairment) -> [(Simulation, Quality); 2] {
    [(LEG, bad), (bad, LEG)].map(|(up, down)| {
        let mut simulation = consult(seed, sends, up, down);
        simulation.run(Duration::from_secs(20));
        check(&simulation, seed);
        let quality = quality(&simulation, Duration::from_secs(4), Duration::from_secs(19));
        (simulation, quality)
    })
}

#[test]
fn without_loss_nothing_is_late_or_missing() {
    let seed = 20;
    for (_, quality) in on_either_leg(seed, (Video::CAMERA, false), LEG) {
        // 40 ms of network and what a wake-up collects: no queue of the server holds audio.
        assert!(quality.delay_max < Duration::from_millis(60), "{quality:?}");
        assert!(quality.audio_lost.abs() < 1e-9, "{quality:?}");
        assert!(quality.freeze < Duration::from_millis(60), "{quality:?}");
    }
}

#[test]
fn two_percent_of_loss_is_repaired() {
    let seed = 21;
    let bad = Impairment { loss: 0.02, ..LEG };
    for (simulation, quality) in on_either_leg(seed, (Video::SMALL, true), bad) {
        let figures = simulation.figures()[&1];
        assert_eq!(figures.missing, 0, "{figures:?}");
        assert!(quality.delay_max < Duration::from_millis(60), "{quality:?}");
        assert!(quality.audio_lost < 0.04, "{quality:?}");
        assert!(quality.freeze < Duration::from_millis(400), "{quality:?}");
        assert!(quality.frames > 140, "{quality:?}");
        // The publisher's encoder is told, whichever leg loses.
        let told = simulation.figures()[&0].told_loss;
        assert!(told > 2, "{told}");
    }
}

#[test]
fn bursts_of_loss_are_repaired() {
    let seed = 22;
    let bad = Impairment {
        loss: 0.05,
        loss_burst: 3.0,
        ..LEG
    };
    for (simulation, quality) in on_either_leg(seed, (Video::SMALL, true), bad) {
        let figures = simulation.figures()[&1];
        assert!(figures.missing < 5, "{figures:?}");
        assert!(quality.delay_max < Duration::from_millis(60), "{quality:?}");
        assert!(quality.audio_lost < 0.08, "{quality:?}");
        assert!(quality.frames > 120, "{quality:?}");
    }
}

#[test]
fn a_conversation_goes_on_with_a_tenth_lost() {
    let seed = 23;
    let bad = Impairment { loss: 0.10, ..LEG };
    for (_, quality) in on_either_leg(seed, (Video::SMALL, true), bad) {
        assert!(quality.delay_max < Duration::from_millis(60), "{quality:?}");
        assert!(quality.audio_lost < 0.14, "{quality:?}");
        // Nine frames a second of ten.
        assert!(quality.frames > 130, "{quality:?}");
    }
}

#[test]
fn sound_and_pictures_stay_in_step_through_twenty_switches() {
    let seed = 26;
    let bad = Impairment {
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(30),
        ..Impairment::NONE
    };
    let mut simulation = Simulation::new(seed);
    room(&mut simulation, 1, 0, 2, bad);
    simulation.run(Duration::from_secs(3));
    for switch in 0..20 {
        let layer = [Layer::Low, Layer::High, Layer::Medium][switch % 3];
        simulation.select(1, 0, layer, false);
        simulation.run(Duration::from_millis(1_500));
    }
    check(&simulation, seed);
    let figures = simulation.figures()[&1];
    assert!(figures.switches >= 20, "{figures:?}");
    assert!(figures.skew_us_max < 5_000, "{figures:?}");
}
