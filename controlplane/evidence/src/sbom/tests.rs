use super::*;
use std::collections::BTreeSet;

/// What CycloneDX 1.5 asks of the members that stand here.
#[test]
fn it_is_as_cyclonedx_says() {
    let bom: Value = serde_json::from_str(TEXT).unwrap();
    assert_eq!(bom["bomFormat"], "CycloneDX");
    assert_eq!(bom["specVersion"], "1.5");
    assert!(bom["version"].as_u64().unwrap() >= 1);
    let kinds = ["application", "library"];
    let mut references = BTreeSet::new();
    let components = bom["components"].as_array().unwrap();
    for component in components.iter().chain([&bom["metadata"]["component"]]) {
        assert!(kinds.contains(&component["type"].as_str().unwrap()));
        assert!(!component["name"].as_str().unwrap().is_empty());
        assert!(!component["version"].as_str().unwrap().is_empty());
        assert!(
            references.insert(component["bom-ref"].as_str().unwrap()),
            "{component}"
        );
        for hash in component["hashes"].as_array().into_iter().flatten() {
            let length = match hash["alg"].as_str().unwrap() {
                "SHA-256" => 64,
                "SHA-512" => 128,
                other => panic!("{other}"),
            };
            let content = hash["content"].as_str().unwrap();
            assert_eq!(content.len(), length);
            assert!(content.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
        if let Some(purl) = component["purl"].as_str() {
            assert!(
                purl.starts_with("pkg:cargo/") || purl.starts_with("pkg:npm/"),
                "{purl}"
            );
        }
    }
    let dependencies = bom["dependencies"].as_array().unwrap();
    for dependency in dependencies {
        assert!(
            references.contains(dependency["ref"].as_str().unwrap()),
            "{dependency}"
        );
        for on in dependency["dependsOn"].as_array().unwrap() {
            assert!(references.contains(on.as_str().unwrap()), "{dependency}");
        }
    }
}

#[test]
fn it_names_what_is_in_both_lock_files() {
    for part in [
        "pkg:cargo/aws-lc-rs@",
        "pkg:cargo/rustls@",
        "pkg:npm/livekit-client@",
    ] {
        assert!(TEXT.contains(part), "{part}");
    }
    assert!(component_count() > 100);
}
