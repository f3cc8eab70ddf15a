use super::*;

/// A group that no kernel knows, of which `take` plays the kernel's part.
struct Group {
    ring: ProvidedRing,
    buffers: ReceiveBuffers,
}

impl Group {
    fn new(count: u16) -> Self {
        let mut group = Self {
            ring: ProvidedRing::new(count),
            buffers: ReceiveBuffers::new(count),
        };
        group.refill();
        group
    }

    fn refill(&mut self) {
        // SAFETY: there is no io_uring.
        unsafe { self.ring.refill(&self.buffers) };
    }

    /// The kernel fills `wanted` buffers as far as it has them; all are given back.
    fn turn(&mut self, wanted: u16) {
        let taken = wanted.min(self.ring.lent);
        for buffer in 0..taken {
            self.ring.taken();
            self.ring.give_back(buffer);
        }
        if taken < wanted {
            self.ring.ran_out();
        }
        self.refill();
    }
}

#[test]
fn few_buffers_are_all_lent_and_of_many_a_window() {
    for (count, lent) in [(8, 8), (64, 64), (512, 64)] {
        let group = Group::new(count);
        assert_eq!(group.ring.lent, lent);
        assert_eq!(group.ring.idle.len(), usize::from(count - lent));
    }
}

#[test]
fn a_burst_widens_the_window_up_to_all_and_quiet_narrows_it() {
    let mut group = Group::new(512);
    for lent in [128, 256, 512, 512] {
        group.turn(1_000);
        assert_eq!(group.ring.lent, lent);
    }
    // As much as it needs leaves it as it is.
    group.turn(200);
    assert_eq!(group.ring.lent, 512);
    for _ in 0..1_000 {
        group.turn(2);
    }
    assert!(group.ring.lent < 70, "{}", group.ring.lent);
    assert_eq!(group.ring.idle.len() + usize::from(group.ring.lent), 512);
}
