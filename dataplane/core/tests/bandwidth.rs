//! The bandwidth estimator on synthetic paths, in virtual time: no path of the table may fall
//! behind the goal. `examples/estimator_traces.rs` prints the figures and draws them.
#![forbid(unsafe_code)]

#[path = "../examples/traces/mod.rs"]
#[expect(dead_code, reason = "the example draws more of a run")]
mod traces;

use traces::{Run, lte, run, scenarios};

fn check(part_of_name: &str, seeds: std::ops::Range<u64>) -> Vec<Run> {
    let found = scenarios();
    let scenario = found
        .iter()
        .find(|scenario| scenario.name.contains(part_of_name))
        .expect("a scenario of that name");
    seeds
        .map(|seed| {
            let run = run(scenario, seed);
            assert_goal(&run, seed);
            run
        })
        .collect()
}

fn assert_goal(run: &Run, seed: u64) {
    assert!(
        run.reaches_goal(),
        "{}, seed {seed}: utilisation {:.3}, queueing p95 {:.0} ms",
        run.scenario.name,
        run.utilisation,
        run.queued_p95_ms()
    );
}

#[test]
fn a_slow_line_with_a_long_queue_is_filled_and_its_queue_is_not() {
    check("DSL", 1..2);
}

#[test]
fn jitter_is_no_queue() {
    check("jitter", 1..4);
}

#[test]
fn a_frame_that_leaves_in_a_burst_is_no_queue() {
    check("in bursts", 1..2);
}

#[test]
fn a_cell_is_followed() {
    for seed in 1..9 {
        assert_goal(&run(&lte(seed), seed), seed);
    }
}

#[test]
fn a_hand_over_with_a_gap_and_a_longer_way_is_survived() {
    check("hand-over", 1..2);
}

#[test]
fn behind_a_policer_little_is_lost() {
    for run in check("policer", 1..4) {
        assert!(run.lost < 0.05, "{:.3} lost", run.lost);
    }
}

#[test]
fn a_satellite_is_filled() {
    check("satellite", 1..2);
}

#[test]
fn random_loss_does_not_lower_the_rate() {
    check("2 % random", 1..6);
    check("5 % random", 1..6);
    check("10 % random", 1..6);
    check("runs of 3", 1..6);
}

#[test]
fn after_a_drop_the_top_is_back_within_eight_seconds() {
    for run in check("400 kbit/s", 1..2) {
        let back = run.reached_after_ms(40_000, 0.9).expect("some time");
        assert!(back < 8_000, "{back} ms");
        // What lies in the queue when the rate falls has to leave at 400 kbit/s; then it is short.
        let late = run
            .samples
            .iter()
            .filter(|sample| (23_000..40_000).contains(&sample.ms))
            .find(|sample| sample.queued_ms > 150.0);
        assert!(
            late.is_none(),
            "still queued at {} ms",
            late.map_or(0, |it| it.ms)
        );
    }
}

#[test]
fn a_sender_with_little_to_send_learns_what_it_may_send() {
    for run in check("800 kbit/s", 1..2) {
        let last = run.samples.last().expect("a minute");
        assert!(last.target_bps >= 2_900_000, "{} bps", last.target_bps);
        assert!(run.probes < 20, "{} probes", run.probes);
    }
}

#[test]
fn a_join_reaches_most_of_the_path_within_two_seconds() {
    for scenario in scenarios() {
        let run = run(&scenario, 1);
        let joined = run.reached_after_ms(0, 0.85).expect("some time");
        assert!(joined < 2_000, "{}: {joined} ms", scenario.name);
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let targets = |run: Run| {
        run.samples
            .iter()
            .map(|it| it.target_bps)
            .collect::<Vec<_>>()
    };
    assert_eq!(targets(run(&lte(3), 3)), targets(run(&lte(3), 3)));
}
