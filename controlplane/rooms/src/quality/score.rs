//! How good a connection is for the people on it, from 1 (bad) to 4.5 (excellent).
//!
//! Voice is scored by the E-model (ITU-T G.107, 06/2015) with its default values: the transmission
//! rating R is 93.2 less the delay impairment (§7.4: talker echo and pure delay) and the effective
//! equipment impairment of codec and loss (§7.5), and R becomes a mean opinion score by Annex B.
//! Pictures are scored by what arrives of what was wanted; there is no model of that kind for
//! simulcast, so it is one of our own, in the form of ITU-T G.1070: an opinion that the coding
//! allows, and an exponential decay of it with loss.

/// What voice meets on its way between a participant and somebody whose own leg is perfect, so that
/// each participant's score says how good theirs is.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Voice {
    /// One way, mouth to ear, milliseconds: [`one_way_delay_ms`].
    pub(crate) delay_ms: f32,
    /// Share of packets that never arrived, 0.0 to 1.0.
    pub(crate) loss: f32,
    /// How much longer losses run than independent ones would (`BurstR`): 1.0 for independent ones.
    pub(crate) burst_ratio: f32,
}

/// What a codec costs (ITU-T G.113 Appendix I).
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Equipment {
    /// Impairment without loss (`Ie`).
    impairment: f32,
    /// Robustness against loss (`Bpl`), percent.
    robustness: f32,
}

impl Equipment {
    /// G.113 has no values for Opus. At the bit rates that browsers use it is transparent on the
    /// narrowband scale; its concealment and in-band FEC (RFC 6716 §2.1.7) are taken as robust as
    /// the best concealment that G.113 knows, that of G.711 Appendix I (25.1), less a fifth: FEC
    /// repairs a loss only if the next packet arrives.
    pub(crate) const OPUS: Self = Self {
        impairment: 0.0,
        robustness: 20.0,
    };
}

impl Voice {
    /// The transmission rating R, 0 to 93.2.
    pub(crate) fn rating(self, equipment: Equipment) -> f32 {
        let impairment = delay_impairment(self.delay_ms) + self.loss_impairment(equipment);
        (RATING_MAX - impairment).clamp(0.0, RATING_MAX)
    }

    /// The mean opinion score, 1.0 to 4.5.
    pub(crate) fn score(self, equipment: Equipment) -> f32 {
        opinion(self.rating(equipment))
    }

    /// `Ie,eff` (§7.5).
    fn loss_impairment(self, equipment: Equipment) -> f32 {
        let Equipment {
            impairment,
            robustness,
        } = equipment;
        let percent = 100.0 * self.loss.clamp(0.0, 1.0).max(0.0);
        let bursts = self.burst_ratio.max(1.0);
        impairment + (95.0 - impairment) * percent / (percent / bursts + robustness)
    }
}

/// Mouth to ear: half the round trip, what a receiver holds back against this jitter, one packet's
/// worth of speech and the codec's look-ahead (RFC 6716 §2: 20 ms and 6.5 ms). NetEq aims at a
/// high quantile of the delays, which twice the mean deviation (RFC 3550 §6.4.1) stands for.
pub(crate) fn one_way_delay_ms(round_trip_ms: f32, jitter_ms: f32) -> f32 {
    round_trip_ms.max(0.0) / 2.0 + 2.0 * jitter_ms.max(0.0) + 26.5
}

/// `Id` (§7.4) without listener echo, which ends with the four-wire path of every client.
fn delay_impairment(delay_ms: f32) -> f32 {
    // What is not a number becomes zero; nobody waits ten seconds.
    let delay = delay_ms.clamp(0.0, 10_000.0).max(0.0);
    talker_echo(delay) + pure_delay(delay)
}

/// `Idte` with the default talker echo loudness rating of 65 dB: what echo cancellers leave.
fn talker_echo(delay: f32) -> f32 {
    const ECHO_LOUDNESS: f32 = 65.0;
    // -1.5 (No - RLR), for the default noise and loudness.
    const NOISE: f32 = 94.77;
    let masked = ((1.0 + delay / 10.0) / (1.0 + delay / 150.0)).log10();
    let perceived = ECHO_LOUDNESS - 40.0 * masked + 6.0 * (-0.3 * delay * delay).exp();
    let echo = 80.0 + 2.5 * (perceived - 14.0);
    let half = (NOISE - echo) / 2.0;
    (half + (half * half + 100.0).sqrt() - 1.0) * (1.0 - (-delay).exp())
}

/// `Idd`, with the default sensitivity: nobody notices 100 ms.
fn pure_delay(delay: f32) -> f32 {
    if delay <= 100.0 {
        return 0.0;
    }
    let x = (delay / 100.0).log2();
    let root = |x: f32| (1.0 + x.powi(6)).powf(1.0 / 6.0);
    25.0 * (root(x) - 3.0 * root(x / 3.0) + 2.0)
}

/// Annex B: the mean opinion that goes with a rating.
pub(crate) fn opinion(rating: f32) -> f32 {
    let r = rating.clamp(0.0, 100.0);
    (1.0 + 0.035 * r + 0.000_007 * r * (r - 60.0) * (100.0 - r)).max(1.0)
}

/// What arrives of a picture.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Picture {
    /// Layers that are missing below what was wanted, 0 to 2; `None` while nothing comes.
    pub(crate) missing: Option<u8>,
    /// Share of packets that did not arrive at once, 0.0 to 1.0.
    pub(crate) loss: f32,
}

impl Picture {
    /// 1.0 to 4.5. A layer has half the side of the next one, a quarter of its pixels and about
    /// of its bits. Each halving of the bits takes a sixth of what the opinion has above 1: one
    /// layer less is good, two are poor, a frozen picture is bad.
    pub(crate) fn score(self) -> f32 {
        let Some(missing) = self.missing else {
            return SCORE_MIN;
        };
        let halvings = 2.0 * f32::from(missing);
        let coding = (1.0 - halvings / 6.0).max(0.0);
        SCORE_MIN + (SCORE_MAX - SCORE_MIN) * coding * (-self.loss.clamp(0.0, 1.0) / DECAY).exp()
    }
}

/// R0 - Is with the default values (§7.7).
const RATING_MAX: f32 = 93.2;

/// The worst and the best score.
pub(crate) const SCORE_MIN: f32 = 1.0;
/// See [`SCORE_MIN`].
pub(crate) const SCORE_MAX: f32 = 4.5;

/// Share of loss that takes a picture's opinion down to 1/e. Lost packets of pictures are sent
/// again, so it is far more than the few percent of G.1070.
const DECAY: f32 = 0.2;

#[cfg(test)]
mod tests;
