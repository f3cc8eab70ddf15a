use super::*;
use crate::ClearText;
use crate::testing::{Log, consult};

fn page(change: impl FnOnce(&mut Material)) -> String {
    let mut log = Log::new();
    consult(&mut log);
    let mut material = log.material(Scope::Consult("RM_one".to_owned()));
    change(&mut material);
    render(&material)
}

#[test]
fn it_says_what_the_records_say() {
    let page = page(|_| {});
    for part in [
        "<h1>Consult RM_one</h1>",
        "AEAD_AES_256_GCM",
        "Link used",
        "link_used",
        "203.0.113.0/24",
        "oidc (pwd, otp)",
        "Example Hosting",
        "164.312(b)",
        "None cosigned",
        "bedside evidence verify",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("RM_two"), "another consult");
    assert!(!page.contains("jane.roe"), "no name unless it is asked for");
}

#[test]
fn names_are_there_only_if_they_were_asked_for_and_are_escaped() {
    let page = page(|material| {
        let detail = [("actor".to_owned(), Phi::new("<b>Jane & Roe</b>".to_owned()))];
        material.clear = Some(vec![ClearText {
            index: 1,
            detail: detail.into(),
        }]);
    });
    assert!(page.contains("&lt;b&gt;Jane &amp; Roe&lt;/b&gt;"));
    assert!(page.contains("protected health information"));
}

#[test]
fn it_fetches_nothing_and_runs_nothing() {
    let page = page(|_| {});
    for part in [
        "<script",
        "<link",
        "<img",
        "src=",
        "@import",
        "url(",
        "javascript:",
        " on",
    ] {
        let found = page.to_lowercase().match_indices(part).any(|(at, _)| {
            part != " on"
                || page[at + 3..]
                    .split(['=', ' ', '>'])
                    .next()
                    .is_some_and(|rest| {
                        page[at + 3 + rest.len()..].starts_with("=\"") && !rest.is_empty()
                    })
        });
        assert!(!found, "{part}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn it_can_be_listened_to() {
    let page = page(|_| {});
    assert!(page.contains("<html lang=\"en\">"));
    assert_eq!(page.matches("<h1").count(), 1);
    assert_eq!(page.matches("<main").count(), 1);
    for heading in page.split("<th ").skip(1) {
        let tag = heading.split('>').next().unwrap();
        assert!(tag.contains("scope="), "{tag}");
    }
    for section in page.split("aria-labelledby=\"").skip(1) {
        let id = section.split('"').next().unwrap();
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
}

#[test]
fn every_action_has_words() {
    for &action in bedside_audit::Action::ALL {
        assert_ne!(words::action(action), "Other", "{}", action.name());
    }
}
