use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const LOW: Layer = Layer::Low;
const HIGH: Layer = Layer::High;

fn begun(layer: Layer, source: u64) -> SequenceMap {
    let mut map = SequenceMap::new(100);
    map.begin(layer, source, Offsets::default());
    map
}

fn out(map: &mut SequenceMap, layer: Layer, source: u64) -> Option<u64> {
    map.place(layer, source).map(|place| place.out)
}

#[test]
fn a_loss_leaves_a_gap_and_a_late_packet_fills_it() {
    let mut map = begun(LOW, 10);
    assert_eq!(out(&mut map, LOW, 10), Some(100));
    assert_eq!(out(&mut map, LOW, 13), Some(103));
    assert_eq!(out(&mut map, LOW, 11), Some(101));
    assert_eq!(map.find(102), Some((LOW, 12, Offsets::default())));
    assert_eq!(map.find(104), None);
    assert_eq!(map.find(99), None);
}

#[test]
fn a_switch_leaves_no_gap() {
    let mut map = begun(LOW, 10);
    map.place(LOW, 10);
    map.begin(HIGH, 5_000, Offsets::default());
    assert_eq!(out(&mut map, HIGH, 5_000), Some(101));
    assert_eq!(out(&mut map, LOW, 11), None, "after the switch");
    assert_eq!(out(&mut map, HIGH, 4_999), None, "before the switch");
    assert_eq!(map.find(100), Some((LOW, 10, Offsets::default())));
    assert_eq!(map.find(101), Some((HIGH, 5_000, Offsets::default())));
}

#[test]
fn a_place_from_before_a_switch_stays_reserved() {
    let mut map = begun(LOW, 10);
    map.place(LOW, 10);
    map.place(LOW, 12);
    map.begin(HIGH, 5_000, Offsets::default());
    map.place(HIGH, 5_000);
    assert_eq!(map.reserved(LOW, 11).map(|place| place.out), Some(101));
}

#[test]
fn numbers_that_were_not_used_are_given_again() {
    let mut map = begun(LOW, 10);
    for source in [10, 11, 13] {
        map.place(LOW, source);
    }
    map.begin(HIGH, 5_000, Offsets::default());
    map.place(HIGH, 5_000);
    // 100 and 101 were sent.
    map.forget_from(102);
    assert_eq!(map.find(101), Some((LOW, 11, Offsets::default())));
    assert_eq!((map.find(102), map.find(104)), (None, None));
    assert_eq!(map.reserved(LOW, 12), None, "it lost its place");
    assert_eq!(map.reserved(HIGH, 5_000), None);
    map.begin(HIGH, 5_007, Offsets::default());
    assert_eq!(out(&mut map, HIGH, 5_007), Some(102));
    map.forget_from(103);
    assert_eq!(map.next_out(), 103, "nothing was given from there on");
    map.forget_from(100);
    assert_eq!((map.next_out(), map.current()), (100, None));
}

#[test]
fn what_is_left_out_closes_up() {
    let mut map = begun(LOW, 10);
    map.place(LOW, 10);
    assert_eq!(map.leave_out(LOW, 11, false), None);
    assert_eq!(map.leave_out(LOW, 12, false), None);
    assert_eq!(out(&mut map, LOW, 13), Some(101));
    assert_eq!(map.runs.len(), 2, "packets left out in a row take one run");
}

#[test]
fn what_is_left_out_behind_a_gap_keeps_the_gap() {
    let mut map = begun(LOW, 10);
    map.place(LOW, 10);
    assert_eq!(map.leave_out(LOW, 12, false), None);
    assert_eq!(out(&mut map, LOW, 13), Some(102));
    assert_eq!(out(&mut map, LOW, 11), Some(101));
}

#[test]
fn what_is_left_out_too_late_has_to_be_filled() {
    let mut map = begun(LOW, 10);
    map.place(LOW, 10);
    map.place(LOW, 12);
    assert_eq!(
        map.leave_out(LOW, 11, false).map(|place| place.out),
        Some(101)
    );
    assert_eq!(out(&mut map, LOW, 13), Some(103));
}

#[test]
fn old_runs_are_forgotten() {
    let mut map = SequenceMap::new(0);
    for source in 0..100_u64 {
        map.begin(LOW, source * 10, Offsets::default());
        map.place(LOW, source * 10);
    }
    assert_eq!(map.runs.len(), SEQUENCE_RUNS_MAX);
    assert_eq!(map.find(0), None);
    assert_eq!(map.find(99), Some((LOW, 990, Offsets::default())));
}

#[derive(Clone, Debug)]
enum Step {
    Arrive,
    LeaveOut,
    Lose,
    Late,
    Switch,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => Just(Step::Arrive),
        2 => Just(Step::LeaveOut),
        3 => Just(Step::Lose),
        3 => Just(Step::Late),
        1 => Just(Step::Switch),
    ];
    proptest::collection::vec(step, 1..300)
}

proptest! {
    /// No number is given out twice; a number that is not given out belongs to a packet that was
    /// lost; numbers of one layer keep their order; every number is found again.
    #[test]
    fn numbers_are_unique_ordered_and_without_needless_gaps(steps in steps()) {
        let first = 65_500;
        let mut map = SequenceMap::new(first);
        let mut next_source = [1_000_u64, 0, 70_000];
        let mut layer = LOW;
        let mut lost: BTreeSet<(Layer, u64)> = BTreeSet::new();
        let mut given: BTreeMap<u64, (Layer, u64)> = BTreeMap::new();
        // Places in runs that are no longer remembered stay empty.
        let mut forgotten = 0;
        map.begin(layer, next_source[layer.index()], Offsets::default());
        for step in steps {
            let source = next_source[layer.index()];
            match step {
                Step::Arrive => {
                    next_source[layer.index()] += 1;
                    let place = map.place(layer, source).expect("in order");
                    prop_assert!(place.newest);
                    prop_assert!(given.insert(place.out, (layer, source)).is_none());
                }
                Step::LeaveOut => {
                    next_source[layer.index()] += 1;
                    prop_assert_eq!(map.leave_out(layer, source, false), None);
                }
                Step::Lose => {
                    next_source[layer.index()] += 1;
                    lost.insert((layer, source));
                }
                Step::Late => {
                    let Some(&late) = lost.iter().next_back() else { continue };
                    lost.remove(&late);
                    // One that nothing followed before a switch has no place any more.
                    let place = if late.0 == layer {
                        map.place(late.0, late.1)
                    } else {
                        map.reserved(late.0, late.1)
                    };
                    if let Some(place) = place {
                        prop_assert!(given.insert(place.out, late).is_none());
                    } else if map.runs.len() == SEQUENCE_RUNS_MAX {
                        forgotten += 1;
                    }
                }
                Step::Switch => {
                    layer = if layer == LOW { HIGH } else { LOW };
                    map.begin(layer, next_source[layer.index()], Offsets::default());
                }
            }
        }
        let total = map.next_out() - first;
        let count = u64::try_from(given.len()).expect("few");
        prop_assert!(count <= total);
        let missing = u64::try_from(lost.len()).expect("few") + forgotten;
        prop_assert!(total - count <= missing);
        let mut last = [None; 3];
        for (out, (layer, source)) in &given {
            prop_assert!(last[layer.index()].is_none_or(|last| last < *source));
            last[layer.index()] = Some(*source);
            if let Some((found_layer, found, _)) = map.find(*out) {
                prop_assert_eq!((found_layer, found), (*layer, *source));
            } else {
                prop_assert!(map.runs.len() == SEQUENCE_RUNS_MAX);
            }
        }
    }
}
