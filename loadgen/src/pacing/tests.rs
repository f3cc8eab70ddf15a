use super::{Clock, Schedule};
use std::time::Duration;

#[test]
fn things_come_when_they_are_due_and_never_before() {
    let mut schedule = Schedule::new();
    for (due_ns, what) in [(30, 'c'), (10, 'b'), (10, 'a'), (20, 'd')] {
        schedule.push(due_ns, what);
    }
    assert_eq!(schedule.pop_due(9), None);
    assert_eq!(schedule.next_due_ns(), Some(10));
    assert_eq!(schedule.pop_due(25), Some((10, 'a')));
    assert_eq!(schedule.pop_due(25), Some((10, 'b')));
    assert_eq!(schedule.pop_due(25), Some((20, 'd')));
    assert_eq!(schedule.pop_due(25), None);
    assert_eq!((schedule.len(), schedule.is_empty()), (1, false));
}

#[test]
fn both_views_of_the_clock_agree() {
    let clock = Clock::new();
    let now_ns = Clock::now_ns();
    let now = clock.instant(now_ns);
    for nanoseconds in [0, 1, 1_000_000_000] {
        let span = Duration::from_nanos(nanoseconds);
        assert_eq!(clock.instant(now_ns + nanoseconds), now + span);
        assert_eq!(clock.nanoseconds(now + span), now_ns + nanoseconds);
    }
    // Before the clock was made, too.
    let before = clock.instant(now_ns - 5_000_000_000);
    assert_eq!(clock.nanoseconds(before), now_ns - 5_000_000_000);
}
