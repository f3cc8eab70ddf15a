use super::*;

fn opened(count: u16) -> Slabs {
    let mut slabs = Slabs::new(count);
    assert!(slabs.next());
    slabs
}

#[test]
fn packets_lie_one_behind_another() {
    let mut slabs = opened(1);
    let (slab, start) = slabs.place(1_200).unwrap();
    slabs.advance(1_000);
    assert_eq!(slabs.place(1_200), Some((slab, start + 1_000)));
    slabs.align();
    assert_eq!(slabs.place(1_200), Some((slab, start + 1_024)));
}

#[test]
fn a_full_slab_refuses_and_takes_exactly_its_size() {
    let mut slabs = opened(1);
    slabs.advance(SEND_SLAB_BYTES - 100);
    assert_eq!(slabs.place(101), None);
    assert!(slabs.place(100).is_some());
    slabs.advance(100);
    assert_eq!(slabs.place(1), None);
    slabs.align();
    assert_eq!(slabs.place(1), None);
}

#[test]
fn a_slab_is_reused_only_when_its_messages_have_completed() {
    let mut slabs = opened(2);
    let (first, _) = slabs.place(1).unwrap();
    slabs.hold(first);
    slabs.hold(first);
    slabs.advance(5_000);
    slabs.rewind();
    assert_eq!(
        slabs.place(1),
        Some((first, 5_000)),
        "in flight, so not from the start"
    );

    assert!(slabs.next());
    let (second, _) = slabs.place(1).unwrap();
    assert_ne!(first, second);
    slabs.hold(second);
    assert!(!slabs.next(), "both are in flight");
    assert_eq!(
        slabs.place(1).unwrap().0,
        second,
        "the open slab stays open"
    );

    slabs.release(first);
    assert!(!slabs.next(), "one message is left in the first");
    slabs.release(first);
    assert!(slabs.next());
    assert_eq!(slabs.place(1), Some((first, 0)));
    assert_eq!(slabs.free_count(), 1);
    slabs.release(second);
    assert_eq!((slabs.free_count(), slabs.messages_in_flight()), (2, 0));
}

#[test]
fn an_idle_open_slab_starts_again() {
    let mut slabs = opened(1);
    let (slab, _) = slabs.place(1).unwrap();
    slabs.hold(slab);
    slabs.advance(700);
    slabs.release(slab);
    slabs.rewind();
    assert_eq!(slabs.place(1), Some((slab, 0)));
}

#[test]
fn every_slab_comes_back_after_any_order_of_completion() {
    const COUNT: u16 = 8;
    let mut slabs = Slabs::new(COUNT);
    let mut held = Vec::new();
    // A fixed linear congruential sequence: the same order in every run.
    let mut random = 1_u32;
    for _ in 0..10_000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if random >> 31 == 0 && !held.is_empty() {
            let index = (random >> 8) as usize % held.len();
            slabs.release(held.swap_remove(index));
        } else if slabs.place(9_000).is_some() || slabs.next() {
            let (slab, _) = slabs.place(9_000).unwrap();
            slabs.advance(9_000);
            slabs.hold(slab);
            held.push(slab);
        }
        assert_eq!(slabs.messages_in_flight() as usize, held.len());
    }
    for slab in held {
        slabs.release(slab);
    }
    assert_eq!(slabs.free_count(), usize::from(COUNT));
    for _ in 0..COUNT - 1 {
        assert!(slabs.next());
        let (slab, _) = slabs.place(1).unwrap();
        slabs.hold(slab);
    }
}
