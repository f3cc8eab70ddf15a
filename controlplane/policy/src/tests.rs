use super::*;
use bedside_audit::Role;
use bedside_protocol::Phi;
use std::fs;
use std::path::PathBuf;

fn principal(capacity: Capacity) -> Principal {
    Principal {
        id: Phi::new("somebody".to_owned()),
        capacities: vec![capacity],
        mfa_age_s: Some(10),
        vouched: false,
    }
}

fn resource(action: Action) -> Resource {
    match action.resource() {
        ResourceKind::Consult => Resource::Consult(Phi::new("a room".to_owned())),
        ResourceKind::Account => Resource::Account(Phi::new("an account".to_owned())),
        ResourceKind::Installation => Resource::Installation,
    }
}

/// The situation in which most is allowed.
const BEST: Context = Context {
    own: true,
    admitted: true,
    workforce_login: true,
    emergency: true,
};

fn built_in() -> Policies {
    Policies::load(None).expect("the built-in policies are valid")
}

fn allowed(policies: &Policies, who: &Principal, action: Action, context: Context) -> bool {
    let decision = policies.decide(who, action, &resource(action), &context);
    assert_eq!(decision.decision.hash, policies.hash());
    decision.allowed
}

#[test]
fn every_action_and_role_of_the_schema_is_known() {
    let schema = source::SCHEMA.1;
    for action in Action::ALL {
        assert!(
            schema.contains(&format!("\"{}\"", action.name())),
            "{action:?} is not in the schema"
        );
    }
    let policies = built_in();
    // Somebody may do each of them: an action that nobody can do would be a dead endpoint.
    for &action in Action::ALL {
        let some = [true, false].into_iter().any(|own| {
            Capacity::ALL.into_iter().any(|capacity| {
                allowed(
                    &policies,
                    &principal(capacity),
                    action,
                    Context { own, ..BEST },
                )
            })
        });
        assert!(some, "nobody may {action:?}");
    }
}

#[test]
fn what_is_about_something_else_is_denied() {
    let policies = built_in();
    let officer = principal(Capacity::Role(Role::SecurityOfficer));
    let decision = policies.decide(&officer, Action::Revoke, &Resource::Installation, &BEST);
    assert!(!decision.allowed);
}

#[test]
fn decisions_name_their_policies() {
    let policies = built_in();
    let check = |capacity, action, context, expected: &[&str]| {
        let decision = policies.decide(&principal(capacity), action, &resource(action), &context);
        assert_eq!(decision.decision.policies, expected);
    };
    let patient = Capacity::Role(Role::Patient);
    check(patient, Action::Join, BEST, &["patient_joins"]);
    let early = Context {
        admitted: false,
        ..BEST
    };
    check(patient, Action::Join, early, &["not_before_admission"]);
    check(
        patient,
        Action::Revoke,
        BEST,
        &["no_administration_for_guests"],
    );
    check(patient, Action::ListConsults, BEST, &[]);
    check(
        Capacity::Role(Role::SecurityOfficer),
        Action::Join,
        BEST,
        &["no_media_for_overseers"],
    );
}

#[test]
fn what_is_forbidden_to_one_capacity_is_forbidden() {
    let policies = built_in();
    let both = Principal {
        capacities: vec![
            Capacity::Role(Role::Clinician),
            Capacity::Role(Role::Administrator),
        ],
        ..principal(Capacity::Nobody)
    };
    assert!(!allowed(&policies, &both, Action::Join, BEST));
    assert!(!allowed(&policies, &both, Action::Revoke, BEST));
    assert!(allowed(&policies, &both, Action::ListConsults, BEST));
}

#[test]
fn workforce_without_two_factors_gets_nothing_but_the_login() {
    let policies = built_in();
    let workforce = [
        Role::Clinician,
        Role::Administrator,
        Role::SecurityOfficer,
        Role::Auditor,
    ];
    for role in workforce {
        let one_factor = Principal {
            mfa_age_s: None,
            ..principal(Capacity::Role(role))
        };
        for &action in Action::ALL {
            let public = matches!(
                action,
                Action::OpenPage
                    | Action::CheckHealth
                    | Action::LogIn
                    | Action::OpenLink
                    | Action::KeepSession
            );
            let may = allowed(&policies, &one_factor, action, BEST);
            assert_eq!(may, public, "{role:?} {action:?}");
        }
    }
}

#[test]
fn glass_is_broken_with_fresh_factors_and_a_reason_only() {
    let policies = built_in();
    let clinician = principal(Capacity::Role(Role::Clinician));
    let strange = Context { own: false, ..BEST };
    assert!(allowed(&policies, &clinician, Action::BreakGlass, strange));
    assert!(!allowed(&policies, &clinician, Action::Join, strange));
    for age_s in [None, Some(301)] {
        let stale = Principal {
            mfa_age_s: age_s,
            vouched: true,
            ..clinician.clone()
        };
        assert!(!allowed(&policies, &stale, Action::BreakGlass, strange));
    }
    let calm = Context {
        emergency: false,
        ..strange
    };
    assert!(!allowed(&policies, &clinician, Action::BreakGlass, calm));
}

#[test]
fn operators_add_and_replace_but_not_the_guard_rails() {
    let folder = Folder::new();
    folder.write(
        "zz-clinic.cedar",
        "@id(\"everything\")\npermit (principal, action, resource);\n",
    );
    let built_in = built_in();
    let theirs = Policies::load(Some(&folder.0)).expect("valid policies");
    assert_ne!(built_in.hash(), theirs.hash());
    let service = principal(Capacity::Role(Role::Service));
    assert!(!allowed(&built_in, &service, Action::CreateToken, BEST));
    assert!(allowed(&theirs, &service, Action::CreateToken, BEST));
    let officer = principal(Capacity::Role(Role::SecurityOfficer));
    assert!(!allowed(&theirs, &officer, Action::Join, BEST));

    folder.write("records.cedar", "");
    let replaced = Policies::load(Some(&folder.0)).expect("valid policies");
    let auditor = principal(Capacity::Role(Role::Auditor));
    assert!(allowed(&replaced, &auditor, Action::ReadAudit, BEST));
    fs::remove_file(folder.0.join("zz-clinic.cedar")).expect("it was written");
    let replaced = Policies::load(Some(&folder.0)).expect("valid policies");
    assert!(!allowed(&replaced, &auditor, Action::ReadAudit, BEST));

    folder.write("guardrails.cedar", "");
    let error = Policies::load(Some(&folder.0)).expect_err("the guard rails stay");
    assert!(matches!(error, Error::BuiltIn(_)), "{error}");
}

#[test]
fn errors_name_the_file_and_the_line() {
    let check = |text: &str, expected: &str| {
        let folder = Folder::new();
        folder.write("clinic.cedar", text);
        let error = Policies::load(Some(&folder.0)).expect_err("it is wrong");
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(
        "@id(\"a\")\npermit (principal, action, resource)\nwhen { context.nothing };\n",
        "clinic.cedar:3: ",
    );
    check(
        "@id(\"a\")\npermit (\n  principal,\n  action == Bedside::Action::\"fly\",\n  resource);\n",
        "clinic.cedar:",
    );
    check("@id(\"a\")\npermit (principal, action,\n", "clinic.cedar:");
    check(
        "// a comment\npermit (principal, action, resource);\n",
        "@id",
    );
    check(
        "@id(\"public\")\npermit (principal, action, resource);\n",
        "public.cedar:",
    );
}

/// What a capacity may do, and on which conditions; `-` for what it may not.
fn cell(policies: &Policies, capacity: Capacity, action: Action) -> String {
    let fresh = principal(capacity);
    let not_own = Context { own: false, ..BEST };
    let own = allowed(policies, &fresh, action, BEST);
    let others = allowed(policies, &fresh, action, not_own);
    let best = if others { not_own } else { BEST };
    if !own && !others {
        return "-".to_owned();
    }
    let single = Principal {
        mfa_age_s: None,
        ..fresh.clone()
    };
    let stale = Principal {
        mfa_age_s: Some(301),
        ..fresh.clone()
    };
    let early = Context {
        admitted: false,
        ..best
    };
    let calm = Context {
        emergency: false,
        ..best
    };
    let conditions = [
        (own && !others, "own"),
        (others && !own, "others'"),
        (!allowed(policies, &fresh, action, early), "let in"),
        (!allowed(policies, &fresh, action, calm), "emergency"),
        (!allowed(policies, &stale, action, best), "fresh factors"),
        (
            allowed(policies, &stale, action, best) && !allowed(policies, &single, action, best),
            "2 factors",
        ),
    ];
    let named: Vec<_> = conditions
        .iter()
        .filter_map(|(holds, name)| holds.then_some(*name))
        .collect();
    if named.is_empty() {
        "yes".to_owned()
    } else {
        named.join(", ")
    }
}

#[test]
fn the_table_of_rights_in_the_documents_is_what_the_policies_say() {
    let policies = built_in();
    let mut table = "| action |".to_owned();
    for capacity in Capacity::ALL {
        table.push_str(&format!(" {} |", capacity.name()));
    }
    table.push_str(&format!("\n|{}\n", "---|".repeat(Capacity::ALL.len() + 1)));
    for &action in Action::ALL {
        table.push_str(&format!("| `{}` |", action.name()));
        for capacity in Capacity::ALL {
            table.push_str(&format!(" {} |", cell(&policies, capacity, action)));
        }
        table.push('\n');
    }
    let document = include_str!("../../../docs/reference/roles.md");
    assert!(
        document.contains(&table),
        "docs/reference/roles.md must hold this table:\n{table}"
    );
}

#[test]
#[ignore = "prints a figure; run it on a quiet machine"]
#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn measure_a_decision() {
    let policies = built_in();
    let clinician = principal(Capacity::Role(Role::Clinician));
    let resource = resource(Action::Join);
    let mut times: Vec<u128> = (0..20_000)
        .map(|_| {
            let started = std::time::Instant::now();
            let decision = policies.decide(&clinician, Action::Join, &resource, &BEST);
            assert!(decision.allowed);
            started.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    println!(
        "a decision takes {:.1} us (median), {:.1} us (p99), of {} policies",
        times[times.len() / 2] as f64 / 1e3,
        times[times.len() * 99 / 100] as f64 / 1e3,
        policies.len()
    );
}

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bedside-policy-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("a file for the test");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("it was made");
    }
}
