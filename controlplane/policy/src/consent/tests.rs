use super::*;
use proptest::prelude::*;

const TEXT: &str = "5f2c";
const YES: Answer<'static> = Answer::Given { text: TEXT };

fn person<'a>(id: &'a str, place: &str, answer: Answer<'a>) -> Participant<'a> {
    Participant {
        id,
        is_person: true,
        location: place.parse().ok(),
        answer,
    }
}

const fn consult<'a>(participants: &'a [Participant<'a>], recorder: Recorder) -> Consult<'a> {
    Consult {
        participants,
        practice: Practice::Law,
        text: TEXT,
        part2: Part2::No,
        recorder,
    }
}

fn decide(participants: &[Participant<'_>], recorder: Recorder) -> ConsentDecision {
    ConsentRules::built_in().decide(&consult(participants, recorder))
}

/// What every state and the District of Columbia asks for, as this software treats it.
#[test]
fn every_state_asks_for_what_its_entry_says() {
    let all_party = ["CA", "FL", "IL", "MD", "MA", "NH", "PA", "WA"];
    let disputed = ["CT", "DE", "MI", "NV", "OR", "VT"];
    for state in Jurisdiction::states() {
        let short = state.code().trim_start_matches("US-");
        let expected = match short {
            "MT" => Consent::Notice,
            _ if all_party.contains(&short) => Consent::AllParty,
            _ if disputed.contains(&short) => Consent::Disputed,
            _ => Consent::OneParty,
        };
        let people = [
            person("PA_a", short, YES),
            person("PA_b", short, Answer::Pending),
        ];
        let decision = decide(&people, Recorder::Idle);
        assert_eq!(decision.consent, expected, "{state}");
        let one_suffices = expected == Consent::OneParty;
        let instruction = if one_suffices {
            Instruction::Record
        } else {
            Instruction::Wait
        };
        assert_eq!(decision.instruction, instruction, "{state}");
        assert_eq!(decision.ask.is_empty(), one_suffices, "{state}");
    }
}

#[test]
fn the_strictest_place_counts_for_everybody() {
    for (others, expected) in [
        (["TX", "NY"], Consent::OneParty),
        (["TX", "MT"], Consent::Notice),
        (["MT", "OR"], Consent::Disputed),
        (["OR", "CA"], Consent::AllParty),
    ] {
        let [one, two] = others;
        let people = [person("PA_a", one, YES), person("PA_b", two, YES)];
        assert_eq!(
            decide(&people, Recorder::Idle).consent,
            expected,
            "{others:?}"
        );
    }
}

#[test]
fn an_unknown_place_is_the_strictest() {
    let people = [
        person("PA_a", "TX", YES),
        person("PA_b", "unknown", Answer::Pending),
    ];
    let decision = decide(&people, Recorder::Idle);
    assert_eq!(decision.consent, Consent::AllParty);
    assert_eq!(decision.instruction, Instruction::Wait);
    assert_eq!(decision.ask, ["PA_b"]);
    let unknown = Reason::LocationUnknown {
        participant: "PA_b".into(),
    };
    assert!(decision.reasons.contains(&unknown));
    let federal = [person("PA_a", "US", YES)];
    assert_eq!(decide(&federal, Recorder::Idle).consent, Consent::AllParty);
}

#[test]
fn everybody_is_asked_unless_the_operator_says_otherwise() {
    let people = [
        person("PA_a", "TX", YES),
        person("PA_b", "TX", Answer::Pending),
    ];
    let everybody = Consult {
        practice: Practice::default(),
        ..consult(&people, Recorder::Idle)
    };
    let decision = ConsentRules::built_in().decide(&everybody);
    assert_eq!(decision.instruction, Instruction::Wait);
    assert_eq!(decision.ask, ["PA_b"]);
}

#[test]
fn a_latecomer_pauses_and_goes_on_when_they_agree() {
    let late = [
        person("PA_a", "CA", YES),
        person("PA_b", "CA", Answer::Pending),
    ];
    assert_eq!(
        decide(&late, Recorder::Running).instruction,
        Instruction::Pause
    );
    assert_eq!(
        decide(&late, Recorder::Paused).instruction,
        Instruction::Pause
    );
    let agreed = [person("PA_a", "CA", YES), person("PA_b", "CA", YES)];
    assert_eq!(
        decide(&agreed, Recorder::Paused).instruction,
        Instruction::Record
    );
    let refused = [
        person("PA_a", "CA", YES),
        person("PA_b", "CA", Answer::Declined),
    ];
    assert_eq!(
        decide(&refused, Recorder::Paused).instruction,
        Instruction::Pause
    );
    assert_eq!(
        decide(&late[..1], Recorder::Paused).instruction,
        Instruction::Record,
        "they left"
    );
}

#[test]
fn taking_consent_back_stops() {
    for place in ["TX", "CA"] {
        let people = [
            person("PA_a", place, YES),
            person("PA_b", place, Answer::Revoked),
        ];
        assert_eq!(
            decide(&people, Recorder::Running).instruction,
            Instruction::Stop
        );
        assert_eq!(
            decide(&people, Recorder::Paused).instruction,
            Instruction::Stop
        );
        assert_eq!(
            decide(&people, Recorder::Idle).instruction,
            Instruction::Wait
        );
    }
}

#[test]
fn whoever_says_no_is_never_recorded() {
    let people = [
        person("PA_a", "TX", YES),
        person("PA_b", "TX", Answer::Declined),
    ];
    assert_eq!(
        decide(&people, Recorder::Idle).instruction,
        Instruction::Wait
    );
    assert_eq!(
        decide(&people, Recorder::Running).instruction,
        Instruction::Pause
    );
}

#[test]
fn consent_to_an_older_text_does_not_count() {
    let older = Answer::Given { text: "0000" };
    let decision = decide(&[person("PA_a", "CA", older)], Recorder::Running);
    assert_eq!(decision.instruction, Instruction::Pause);
    assert_eq!(decision.ask, ["PA_a"]);
    assert!(decision.reasons.contains(&Reason::OtherText {
        participant: "PA_a".into()
    }));
}

#[test]
fn part2_needs_a_written_consent_whatever_is_said_in_the_consult() {
    let people = [person("PA_a", "TX", YES)];
    let rules = ConsentRules::built_in();
    for (consent, recorder, expected) in [
        (None, Recorder::Idle, Instruction::Wait),
        (None, Recorder::Running, Instruction::Stop),
        (Some("consent-1"), Recorder::Idle, Instruction::Record),
    ] {
        let part2 = Part2::Yes { consent };
        let decision = rules.decide(&Consult {
            part2,
            ..consult(&people, recorder)
        });
        assert_eq!(decision.instruction, expected);
        assert_eq!(
            decision.reasons.contains(&Reason::Part2ConsentMissing),
            consent.is_none()
        );
    }
}

#[test]
fn machines_are_not_asked_and_do_not_consent() {
    let machine = Participant {
        is_person: false,
        ..person("PA_m", "CA", Answer::Pending)
    };
    let people = [machine.clone(), person("PA_a", "TX", YES)];
    assert_eq!(
        decide(&people, Recorder::Idle).instruction,
        Instruction::Record
    );
    let alone = decide(
        &[Participant {
            answer: YES,
            ..machine
        }],
        Recorder::Running,
    );
    assert_eq!(alone.instruction, Instruction::Pause);
    assert_eq!(alone.reasons, [Reason::NobodyPresent]);
}

#[test]
fn a_decision_names_the_rules_that_made_it() {
    let people = [person("PA_a", "CA", YES), person("PA_b", "OR", YES)];
    let decision = decide(&people, Recorder::Idle);
    let rules = ConsentRules::built_in();
    assert_eq!(decision.rules_version, rules.version());
    assert_eq!(decision.rules_hash, rules.hash());
    assert_eq!(
        decision.confidence,
        Confidence::Disputed,
        "the weakest entry asked"
    );
    let ids: Vec<&str> = decision
        .reasons
        .iter()
        .filter_map(|reason| match reason {
            Reason::Rule { rule, .. } => Some(rule.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(ids, ["consent.us-ca", "consent.us-or"]);
}

fn any_answer() -> impl Strategy<Value = Answer<'static>> {
    prop_oneof![
        Just(Answer::Pending),
        Just(YES),
        Just(Answer::Given { text: "0000" }),
        Just(Answer::Declined),
        Just(Answer::Revoked),
    ]
}

fn any_participant() -> impl Strategy<Value = Participant<'static>> {
    let place = prop::option::of(prop::sample::select(
        Jurisdiction::states().collect::<Vec<_>>(),
    ));
    (place, any_answer(), any::<bool>()).prop_map(|(location, answer, is_person)| Participant {
        id: "PA_x",
        is_person,
        location,
        answer,
    })
}

proptest! {
    #[test]
    fn nobody_is_recorded_against_their_word(
        people in prop::collection::vec(any_participant(), 0..6),
        running in any::<bool>(),
        law in any::<bool>(),
    ) {
        let recorder = if running { Recorder::Running } else { Recorder::Idle };
        let practice = if law { Practice::Law } else { Practice::Everybody };
        let rules = ConsentRules::built_in();
        let decision = rules.decide(&Consult { practice, ..consult(&people, recorder) });
        if decision.instruction == Instruction::Record {
            let answers: Vec<_> = people.iter().filter(|p| p.is_person).map(|p| p.answer).collect();
            prop_assert!(answers.contains(&YES));
            prop_assert!(!answers.contains(&Answer::Declined));
            prop_assert!(!answers.contains(&Answer::Revoked));
            if practice == Practice::Everybody || decision.consent > Consent::OneParty {
                prop_assert!(answers.iter().all(|&answer| answer == YES));
            }
        }
    }

    /// Somebody more who has not agreed never turns a no into a yes, nor makes a rule laxer.
    #[test]
    fn another_participant_never_relaxes(
        people in prop::collection::vec(any_participant(), 1..6),
        more in any_participant(),
    ) {
        prop_assume!(more.answer != YES);
        let rules = ConsentRules::built_in();
        let before = rules.decide(&consult(&people, Recorder::Idle));
        let mut with = people.clone();
        with.push(more);
        let after = rules.decide(&consult(&with, Recorder::Idle));
        prop_assert!(after.consent >= before.consent);
        prop_assert!(before.instruction == Instruction::Record || after.instruction != Instruction::Record);
    }
}
