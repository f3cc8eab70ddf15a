use super::*;

fn near(value: f32, published: f32, tolerance: f32) {
    assert!(
        (value - published).abs() <= tolerance,
        "{value}, published {published}"
    );
}

/// ITU-T G.107 Table B.1.
#[test]
fn ratings_become_the_opinions_of_annex_b() {
    for (rating, published) in [
        (90.0, 4.34),
        (80.0, 4.03),
        (70.0, 3.60),
        (60.0, 3.10),
        (50.0, 2.58),
    ] {
        near(opinion(rating), published, 0.01);
    }
    near(opinion(0.0), 1.0, 0.0);
    near(opinion(100.0), 4.5, 0.001);
}

fn lossy(equipment: Equipment, percent: f32, burst_ratio: f32) -> f32 {
    let voice = Voice {
        delay_ms: 0.0,
        loss: percent / 100.0,
        burst_ratio,
    };
    RATING_MAX - voice.rating(equipment)
}

/// ITU-T G.113 Appendix I: impairments measured with random loss, of G.729A with its own voice
/// activity detection and of G.723.1, whose `Ie` and `Bpl` it gives too.
#[test]
fn loss_impairs_as_measured_for_known_codecs() {
    let g729a = Equipment {
        impairment: 11.0,
        robustness: 19.0,
    };
    let g723_1 = Equipment {
        impairment: 15.0,
        robustness: 16.1,
    };
    for (percent, g729a_published, g723_1_published) in [
        (0.0, 11.0, 15.0),
        (1.0, 15.0, 19.0),
        (2.0, 19.0, 24.0),
        (4.0, 26.0, 32.0),
        (8.0, 36.0, 41.0),
    ] {
        near(lossy(g729a, percent, 1.0), g729a_published, 1.2);
        near(lossy(g723_1, percent, 1.0), g723_1_published, 1.2);
    }
}

/// Cole and Rosenbluth, "Voice over IP performance monitoring" (2001): with the default values,
/// 0.024 d, and 0.11 for each millisecond beyond 177.3.
#[test]
fn delay_impairs_as_published() {
    for delay in [0.0, 50.0, 100.0, 150.0, 177.3, 250.0, 300.0, 400.0] {
        let published = 0.024_f32.mul_add(delay, 0.11 * (delay - 177.3_f32).max(0.0));
        near(delay_impairment(delay), published, 4.5);
    }
}

#[test]
fn bursts_are_worse_than_the_same_loss_spread_out() {
    let opus = Equipment::OPUS;
    assert!(lossy(opus, 5.0, 3.0) > lossy(opus, 5.0, 1.0) + 2.0);
}

#[test]
fn nothing_that_is_measured_leaves_the_scale() {
    let extremes = [-1.0, 0.0, 1.0, 1e9, f32::INFINITY, f32::NAN];
    for delay_ms in extremes {
        for loss in extremes {
            let voice = Voice {
                delay_ms: one_way_delay_ms(delay_ms, delay_ms),
                loss,
                burst_ratio: delay_ms,
            };
            let score = voice.score(Equipment::OPUS);
            assert!(
                (SCORE_MIN..=SCORE_MAX).contains(&score),
                "{voice:?}: {score}"
            );
        }
    }
}

#[test]
fn pictures_are_worth_what_arrives_of_them() {
    let score = |missing, loss| Picture { missing, loss }.score();
    near(score(Some(0), 0.0), SCORE_MAX, 0.0);
    let one = score(Some(1), 0.0);
    let two = score(Some(2), 0.0);
    assert!((3.0..4.1).contains(&one), "{one}");
    assert!((SCORE_MIN..3.0).contains(&two), "{two}");
    near(score(None, 0.0), SCORE_MIN, 0.0);
    assert!(score(Some(0), 0.02) > 4.1 - 0.01, "repaired");
    assert!(score(Some(0), 0.10) < 4.1);
}
