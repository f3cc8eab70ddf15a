use super::*;

fn event() -> Value {
    let entry = crate::sealer::tests::joined();
    audit_event(
        7,
        &entry,
        Entry::leaf_hash(&entry.to_bytes()),
        "example.org/audit",
    )
}

#[test]
fn a_join_has_what_balp_asks_for() {
    let event = event();
    assert_eq!(event["resourceType"], "AuditEvent");
    assert_eq!(event["recorded"], "2026-11-24T12:44:34.123456Z");
    assert_eq!(
        (&event["action"], &event["outcome"]),
        (&json!("E"), &json!("0"))
    );
    assert_eq!(event["purposeOfEvent"][0]["coding"][0]["code"], "TREAT");
    assert_eq!(event["subtype"][0]["code"], "room.join");
    let patients: Vec<&Value> = event["entity"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entity| entity["role"]["code"] == "1")
        .collect();
    assert_eq!(patients.len(), 1);
    assert_eq!(patients[0]["what"]["type"], "Patient");
    let agents = event["agent"].as_array().unwrap();
    let requestors: Vec<&Value> = agents
        .iter()
        .filter(|agent| agent["requestor"] == true)
        .collect();
    assert_eq!(requestors.len(), 1);
    assert_eq!(
        requestors[0]["network"],
        json!({ "address": "203.0.113.0/24", "type": "2" })
    );
    assert_eq!(
        requestors[0]["who"]["identifier"],
        patients[0]["what"]["identifier"]
    );
    assert_eq!(
        requestors[0]["policy"][0],
        "https://example.org/audit/policy/00#join"
    );
    let log = event["entity"].as_array().unwrap().last().unwrap();
    assert_eq!(log["what"]["identifier"]["value"], "7");
    let text = event.to_string();
    for canary in ["jane", "Jane", "Roe", "Poe", "203.0.113.9"] {
        assert!(!text.contains(canary), "{canary}");
    }
}

#[test]
fn every_action_has_codes() {
    let mut entry = crate::sealer::tests::joined();
    for &action in Action::ALL {
        entry.action = action;
        for outcome in [Outcome::Success, Outcome::Denied, Outcome::Failed] {
            entry.outcome = outcome;
            let event = audit_event(0, &entry, Hash([0; 32]), "example.org/audit");
            assert!("CRUDE".contains(event["action"].as_str().unwrap()));
            assert!(["0", "4", "8"].contains(&event["outcome"].as_str().unwrap()));
            assert_eq!(event["subtype"][0]["code"], action.name());
        }
    }
}
