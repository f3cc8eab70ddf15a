use super::*;

struct Track {
    meter: LevelMeter,
    sequence: u64,
}

impl Track {
    fn new() -> Self {
        Self {
            meter: LevelMeter::default(),
            sequence: 0,
        }
    }

    /// One window of 20 ms packets, `loud` of them at 10 below full scale, the rest silent.
    fn window(&mut self, loud: usize) -> Option<Loudness> {
        for index in 0..20 {
            let level = if index < loud { 10 } else { 127 };
            self.packet(960, level);
        }
        self.meter.tick(false)
    }

    fn packet(&mut self, units: u32, level: u8) {
        self.sequence += 1;
        let ticks = u32::try_from(self.sequence).expect("few") * units;
        self.meter
            .record(self.sequence, Timestamp(ticks), 48_000, level);
    }
}

#[test]
fn speech_for_40_percent_of_a_window_is_speaking() {
    let mut track = Track::new();
    assert_eq!(track.window(7), None);
    let started = track.window(8).expect("a change");
    assert!(started.active);
    assert!(started.level > 0.0 && started.level <= 1.0);
    assert_eq!((started.level * 8.0).fract(), 0.0, "in steps");
}

#[test]
fn only_changes_are_reported() {
    let mut track = Track::new();
    let mut changes = 0;
    for _ in 0..10 {
        changes += usize::from(track.window(20).is_some());
    }
    assert!(
        (1..=3).contains(&changes),
        "it rises, then stays: {changes}"
    );
    let mut last = None;
    for _ in 0..10 {
        last = track.window(0).or(last);
    }
    assert_eq!(last, Some(Loudness::default()), "silence ends it");
    assert_eq!(track.window(0), None);
}

#[test]
fn quiet_sound_is_not_speech() {
    let mut track = Track::new();
    for _ in 0..20 {
        track.packet(960, 40);
    }
    assert_eq!(track.meter.tick(false), None);
}

#[test]
fn a_muted_track_is_silent_at_once() {
    let mut track = Track::new();
    assert!(track.window(20).expect("a change").active);
    for _ in 0..20 {
        track.packet(960, 0);
    }
    assert_eq!(track.meter.tick(true), Some(Loudness::default()));
    assert!(track.meter.is_quiet());
}

#[test]
fn long_packets_count_for_their_length() {
    let mut track = Track::new();
    // Six packets of 60 ms fill a window; three of them are 45 %.
    for _ in 0..2 {
        for index in 0..6 {
            track.packet(2_880, if index < 3 { 5 } else { 127 });
        }
        track.meter.tick(false);
    }
    assert!(track.meter.reported.active);
}

#[test]
fn a_flood_of_packets_does_not_grow() {
    let mut track = Track::new();
    for _ in 0..10_000 {
        track.packet(480, 3);
    }
    assert_eq!(track.meter.samples.len(), SPEAKER_SAMPLES_MAX);
}
