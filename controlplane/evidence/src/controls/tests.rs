use super::*;
use std::path::{Path, PathBuf};

include!("../clauses.rs");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Sections of the Security Rule that the table covers; other parts of 164 may be cited freely.
fn is_covered(clause: &str) -> bool {
    ["164.308", "164.310", "164.312", "164.314", "164.316"]
        .iter()
        .any(|section| is_of(clause, section))
}

#[test]
fn clauses_are_found_as_they_are_written() {
    for (text, expected) in [
        ("45 CFR 164.312(b)", &["164.312(b)"][..]),
        ("(45 CFR 164.312(b), (c)).", &["164.312(b)", "164.312(c)"]),
        (
            "164.308(a)(1)(ii)(A), 164.316",
            &["164.308(a)(1)(ii)(A)", "164.316"],
        ),
        ("164.316(b)(2)(i) (six years)", &["164.316(b)(2)(i)"]),
        ("12164.312(b) 1.164.3 164.31 164.3121", &[]),
    ] {
        assert_eq!(clauses(text), expected, "{text}");
    }
}

#[test]
fn every_clause_that_the_sources_cite_has_a_row() {
    let controls = all();
    for (clause, files) in citations() {
        let has_row = controls
            .iter()
            .any(|control| is_of(&clause, &control.clause) || is_of(&control.clause, &clause));
        assert!(
            !is_covered(&clause) || has_row,
            "{files:?} cite {clause}: give it a row in controlplane/evidence/controls.toml"
        );
    }
}

#[test]
fn what_the_software_does_is_cited_where_it_does_it() {
    let citations = citations();
    for control in all().iter().filter(|control| control.by != By::Operator) {
        assert!(
            !cited_in(control, &citations).is_empty(),
            "no source cites {}: cite it where it is done, or take the row out",
            control.clause
        );
        assert!(
            !control.tests.is_empty(),
            "nothing holds {}: name a test",
            control.clause
        );
    }
}

#[test]
fn every_test_that_is_named_is_there() {
    for control in all() {
        for test in &control.tests {
            let (path, name) = test.split_once("::").unwrap_or((test, ""));
            let path = root().join(path);
            assert!(path.exists(), "{}: {test} is not there", control.clause);
            if !name.is_empty() {
                let text = std::fs::read_to_string(&path).unwrap();
                let name = format!("fn {name}(");
                assert!(
                    text.contains(&name),
                    "{}: {test} is not there",
                    control.clause
                );
            }
        }
    }
}

#[test]
fn the_clauses_are_clauses_and_stand_once_in_order() {
    let rows: Vec<String> = all().into_iter().map(|control| control.clause).collect();
    for clause in &rows {
        assert_eq!(clauses(clause), [clause.as_str()]);
        assert!(is_covered(clause), "{clause}");
    }
    assert_eq!(rows.len(), rows.iter().collect::<BTreeSet<_>>().len());
    let sections: Vec<&str> = rows.iter().map(|clause| &clause[..7]).collect();
    assert!(sections.is_sorted(), "{sections:?}");
}

#[test]
fn the_document_is_that_of_the_table() {
    let path = root().join("docs/compliance/controls.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == markdown(),
        "docs/compliance/controls.md is not that of controls.toml: run `cargo test -p \
         bedside-evidence -- --ignored the_document_is_written`"
    );
}

#[test]
#[ignore = "writes docs/compliance/controls.md"]
fn the_document_is_written() {
    std::fs::write(root().join("docs/compliance/controls.md"), markdown()).unwrap();
}
