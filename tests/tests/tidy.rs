//! The tree keeps its own rules: arrows between crates, where `unsafe` may stand, which words the
//! code may use, which documents exist.
#![forbid(unsafe_code)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Which of our crates each crate may import (ARCHITECTURE.md, "Code map").
const ARROWS: [(&str, &[&str]); 17] = [
    ("dataplane/protocol", &[]),
    ("dataplane/srtp", &[]),
    ("dataplane/core", &["bedside-protocol", "bedside-srtp"]),
    ("dataplane/ring", &[]),
    (
        "dataplane/worker",
        &["bedside-core", "bedside-protocol", "bedside-ring"],
    ),
    ("controlplane/audit", &["bedside-protocol"]),
    (
        "controlplane/policy",
        &["bedside-audit", "bedside-protocol"],
    ),
    (
        "controlplane/ledger",
        &["bedside-audit", "bedside-protocol"],
    ),
    (
        "controlplane/evidence",
        &["bedside-audit", "bedside-ledger", "bedside-protocol"],
    ),
    ("controlplane/rooms", &["bedside-audit", "bedside-protocol"]),
    (
        "controlplane/server",
        &[
            "bedside-audit",
            "bedside-evidence",
            "bedside-ledger",
            "bedside-policy",
            "bedside-protocol",
            "bedside-rooms",
        ],
    ),
    (
        "controlplane/cli",
        &[
            "bedside-audit",
            "bedside-evidence",
            "bedside-ledger",
            "bedside-policy",
            "bedside-protocol",
            "bedside-server",
        ],
    ),
    (
        "tests",
        &[
            "bedside-core",
            "bedside-protocol",
            "bedside-rooms",
            "bedside-srtp",
        ],
    ),
    ("tests/relay", &[]),
    ("loadgen", &["bedside-protocol"]),
    (
        "bench",
        &[
            "bedside-core",
            "bedside-loadgen",
            "bedside-protocol",
            "bedside-ring",
            "bedside-srtp",
        ],
    ),
    ("xtask", &[]),
];

/// Crates that read no clock, file, socket, environment or random source, and never log.
const SANS_IO: [&str; 5] = [
    "dataplane/protocol/src",
    "dataplane/srtp/src",
    "dataplane/core/src",
    "controlplane/audit/src",
    "controlplane/rooms/src",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests is in the workspace")
        .to_owned()
}

/// Every file below `folder` with one of `endings`, as (path from the root, text).
fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![root().join(folder)];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("a readable tree") {
            let path = entry.expect("a readable entry").path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if ["target", "node_modules", "dist", ".git"].contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                waiting.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let text = fs::read_to_string(&path).expect("text");
                let path = path.strip_prefix(root()).expect("below the root");
                found.push((path.display().to_string(), text));
            }
        }
    }
    found.sort();
    found
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("tests.rs") || path.contains("/examples/")
}

/// Lines of `text` up to its in-file test module, without comments, numbered from 1.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()))
}

#[test]
fn arrows_between_crates_point_one_way() {
    for (folder, allowed) in ARROWS {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let dependencies = manifest
            .split("\n[")
            .find_map(|section| section.strip_prefix("dependencies]"))
            .unwrap_or_default();
        for line in dependencies
            .lines()
            .filter(|line| line.starts_with("bedside-"))
        {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            assert!(allowed.contains(&name), "{folder} must not import {name}");
        }
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{folder} must inherit the workspace's lints"
        );
    }
}

#[test]
fn unsafe_stands_in_ring_alone() {
    // The limit program is the yardstick of `ring`, so it has io_uring code of its own.
    for (path, text) in files("bench", &[".rs"]) {
        let limit = path.starts_with("bench/src/limit/");
        let excepted =
            text.contains("expect(\n    unsafe_code") || text.contains("expect(unsafe_code");
        assert!(limit || !excepted, "{path} must not hold unsafe code");
    }
    for (folder, _) in ARROWS
        .iter()
        .filter(|(folder, _)| *folder != "dataplane/ring")
    {
        let roots = [
            format!("{folder}/src/lib.rs"),
            format!("{folder}/src/main.rs"),
        ];
        for path in roots.iter().filter(|path| root().join(path).exists()) {
            let text = fs::read_to_string(root().join(path)).unwrap();
            // A library that holds an exception cannot forbid.
            let rule = if path == "bench/src/lib.rs" {
                "#![deny(unsafe_code)]"
            } else {
                "#![forbid(unsafe_code)]"
            };
            assert!(text.contains(rule), "{path} must say {rule}");
        }
    }
}

#[test]
fn sans_io_crates_touch_nothing_outside() {
    let banned = [
        "Instant::now",
        "SystemTime::now",
        "std::fs",
        "std::net::UdpSocket",
        "std::net::Tcp",
        "std::env::",
        "std::thread",
        "std::process",
        "tracing::",
        "log::",
        "println!",
        "eprintln!",
        "getrandom",
        "thread_rng",
        "OsRng",
        "Mutex",
    ];
    // The DTLS tap passes keys through a slot of the running thread; see its module text.
    let excepted: BTreeMap<&str, &[&str]> = BTreeMap::from([(
        "dataplane/core/src/transport/",
        &["std::thread", "Mutex"] as &[&str],
    )]);
    for folder in SANS_IO {
        for (path, text) in files(folder, &[".rs"]) {
            if is_test(&path) {
                continue;
            }
            for (line, text) in code(&text) {
                for word in banned {
                    let fine = excepted
                        .iter()
                        .any(|(prefix, words)| path.starts_with(prefix) && words.contains(&word));
                    assert!(fine || !text.contains(word), "{path}:{line} uses {word}");
                }
            }
        }
    }
}

#[test]
fn text_formats_stand_in_the_control_plane_alone() {
    let banned = ["a=candidate", "livekit", "prost::", "sqlx::", "a=rtpmap"];
    for (path, text) in files("dataplane", &[".rs"]) {
        if is_test(&path) {
            continue;
        }
        for (line, text) in code(&text) {
            for word in banned {
                assert!(!text.contains(word), "{path}:{line} uses {word}");
            }
        }
    }
}

/// What a packet passes through takes no lock: there is none. A worker's events, which others take
/// from it, stand behind one.
#[test]
fn the_packet_path_has_no_lock() {
    let mut locks = Vec::new();
    for folder in ["srtp", "core", "ring", "worker"] {
        for (path, text) in files(&format!("dataplane/{folder}/src"), &["rs"]) {
            if is_test(&path) {
                continue;
            }
            let words = ["Mutex", "RwLock", "Condvar", "Barrier", "parking_lot"];
            if code(&text).any(|(_, line)| words.iter().any(|word| line.contains(word))) {
                locks.push(path);
            }
        }
    }
    assert_eq!(locks, ["dataplane/worker/src/spool.rs"]);
}

#[test]
fn nothing_is_left_undone_in_the_code() {
    let banned = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["XX", "X:"].concat(),
    ];
    for folder in ["dataplane", "controlplane", "tests", "xtask"] {
        for (path, text) in files(folder, &[".rs", ".ts", ".mjs", ".py", ".css"]) {
            for (index, line) in text.lines().enumerate() {
                let left = banned.iter().any(|word| line.contains(word.as_str()));
                let macros = ["todo!(", "unimplemented!("]
                    .iter()
                    .any(|word| line.contains(word));
                assert!(
                    !(left || (macros && !path.ends_with("tidy.rs"))),
                    "{path}:{} leaves something undone",
                    index + 1
                );
            }
        }
    }
}

#[test]
fn claims_are_made_in_the_words_of_the_rule() {
    let banned = [
        ["HIPAA", " certified"].concat(),
        ["HIPAA", " compliant"].concat(),
    ];
    for folder in ["dataplane", "controlplane", "tests", "xtask", "docs"] {
        for (path, text) in files(folder, &[".rs", ".ts", ".md", ".html"]) {
            for word in &banned {
                let found = text.to_lowercase().contains(&word.to_lowercase());
                assert!(!found, "{path}: say \"controls mapped to 45 CFR 164\"");
            }
        }
    }
}

#[test]
fn the_page_asks_nobody_else() {
    for (path, text) in files("controlplane/web", &[".html", ".ts", ".css"]) {
        if path.contains("/test/") {
            continue;
        }
        for word in [
            "stun:",
            "turn:",
            "//cdn",
            "fonts.googleapis",
            "src=\"http",
            "url(http",
        ] {
            assert!(!text.contains(word), "{path} names {word}");
        }
    }
}

#[test]
fn documents_name_files_that_exist() {
    let mut documents = files("docs", &[".md"]);
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ] {
        let text = fs::read_to_string(root().join(name)).unwrap_or_else(|_| panic!("no {name}"));
        documents.push((name.to_owned(), text));
    }
    for (document, text) in documents {
        for word in text.split(['`', '(', ')', ' ', '\n']) {
            let word = word.trim_end_matches(['.', ',', ':', ';']);
            let ours = ["docs/", "dataplane/", "controlplane/", "tests/"]
                .iter()
                .any(|folder| word.starts_with(folder));
            let plain = word
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            let built = word.ends_with("/dist") || word.contains("/dist/");
            if ours && plain && !built {
                assert!(
                    root().join(word).exists(),
                    "{document} names {word}, which is not there"
                );
            }
        }
    }
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(
        architecture.lines().count() <= 200,
        "ARCHITECTURE.md is a map: at most 200 lines"
    );
}

/// Settings that open a listener or name somebody outside, as the configuration's sources declare
/// them: `telemetry.metrics_listen` is the field `metrics_listen`.
fn endpoints() -> Vec<String> {
    let words = [
        "listen",
        "socket",
        "urls",
        "url_file",
        "endpoint",
        "issuer",
        "witnesses",
        "mirrors",
    ];
    let mut found = Vec::new();
    for (path, text) in files("controlplane/server/src/config", &[".rs"]) {
        if is_test(&path) {
            continue;
        }
        found.extend(fields(&text, &words));
    }
    let text =
        fs::read_to_string(root().join("controlplane/server/src/config.rs")).expect("it is there");
    found.extend(fields(&text, &words));
    found
}

fn fields(text: &str, words: &[&str]) -> Vec<String> {
    let names = text.lines().filter_map(|line| {
        let (name, kind) = line.trim().strip_prefix("pub ")?.split_once(": ")?;
        let is_file =
            kind.contains("ca_file") || kind.starts_with("Vec<IpAddr>") && name != "listen";
        let is_endpoint = words
            .iter()
            .any(|word| name == *word || name.ends_with(&format!("_{word}")));
        (is_endpoint && !is_file).then(|| name.to_owned())
    });
    names.collect()
}

#[test]
fn every_listener_and_endpoint_is_in_the_threat_model() {
    let model = fs::read_to_string(root().join("docs/compliance/threat-model.md")).unwrap();
    let id = |line: &str| line.split('|').nth(1).unwrap_or_default().trim().to_owned();
    let boundaries: Vec<&str> = model
        .lines()
        .filter(|line| line.starts_with("| B") && !id(line).contains('-'))
        .collect();
    let found = endpoints();
    for expected in ["listen", "metrics_listen", "admin_socket", "issuer"] {
        assert!(
            found.iter().any(|name| name == expected),
            "{expected} is not found any more"
        );
    }
    for name in found {
        let row = boundaries
            .iter()
            .any(|line| line.contains(&format!("`{name}`")) || line.contains(&format!(".{name}`")));
        assert!(
            row,
            "`{name}` opens or names an endpoint: give it a row in docs/compliance/threat-model.md"
        );
    }
    for line in boundaries {
        let id = id(line);
        for threat in ["S", "T", "R", "I", "D", "E"] {
            let named = model.contains(&format!("{id}-{threat} "))
                || model.contains(&format!("{id}-{threat},"));
            assert!(named, "{id}-{threat} is not answered");
        }
    }
}

/// What a log line may say beside its words: counts, states, this software's own names, errors that
/// hold nothing of a peer's, and the operator's own addresses.
const LOG_FIELDS: &[&str] = &[
    "action",
    "address",
    "asked",
    "attempt",
    "before",
    "blame",
    "boot",
    "core",
    "count",
    "dropped",
    "drops",
    "elapsed_us",
    "end",
    "engine",
    "error",
    "event.event",
    "generation",
    "granted",
    "kind",
    "lost",
    "code",
    "method",
    "notes",
    "now",
    "pinned",
    "place",
    "problem",
    "reason",
    "refused",
    "ring",
    "room",
    "route",
    "session",
    "source",
    "status",
    "thread",
    "wanted",
    "witness",
    "unwritable",
    "entry",
    "refusal",
    "worker",
    "workers",
];

#[test]
fn log_lines_name_only_known_fields() {
    for folder in ["controlplane", "dataplane"] {
        for (path, text) in files(folder, &[".rs"]) {
            if is_test(&path) {
                continue;
            }
            let text: String = code(&text).map(|(_, line)| format!("{line}\n")).collect();
            for level in ["error!(", "warn!(", "info!(", "debug!(", "trace!("] {
                for call in text.split(&format!("tracing::{level}")).skip(1) {
                    for field in log_fields(call) {
                        assert!(
                            LOG_FIELDS.contains(&field.as_str()),
                            "{path}: {field} in a log line; if it is nobody's, add it to LOG_FIELDS"
                        );
                    }
                }
            }
        }
    }
}

/// Names of the fields of a log macro whose arguments begin here.
fn log_fields(call: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let mut parts = vec![String::new()];
    for character in call.chars() {
        let opens = !quoted && "([{".contains(character);
        let closes = !quoted && ")]}".contains(character);
        if closes && depth == 0 {
            break;
        }
        depth += i32::from(opens) - i32::from(closes);
        if character == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = character == '\\' && !escaped;
        match parts.last_mut() {
            _ if character == ',' && depth == 0 && !quoted => parts.push(String::new()),
            Some(part) => part.push(character),
            None => {}
        }
    }
    let names = parts.iter().map(|part| {
        let part = part.trim();
        let name = part.split('=').next().unwrap_or(part);
        name.trim().trim_start_matches(['%', '?']).to_owned()
    });
    names
        .filter(|name| !name.is_empty() && !name.starts_with('"'))
        .collect()
}

#[test]
fn a_new_field_in_a_log_line_is_seen() {
    let check = |call: &str, expected: &[&str]| assert_eq!(log_fields(call), expected, "{call}");
    check("\"words, and (more)\");", &[]);
    check("%error, \"words\");", &["error"]);
    check(
        "?identity, name = guest.name(1, 2), \"{x}, joined\"); f(a, b)",
        &["identity", "name"],
    );
    check("\n    room = %room.name,\n    \"opened\"\n);", &["room"]);
}
