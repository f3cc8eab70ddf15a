//! Writes what a bundle says of the software itself: `sbom.json`, the components of both lock files
//! (CycloneDX), and `citations.json`, which clauses of 45 CFR 164 the sources cite and where.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let root = manifest.join("../..");
    let out = PathBuf::from(variable("OUT_DIR"));
    let sbom = serde_json::to_vec_pretty(&sbom(&root)).expect("JSON");
    fs::write(out.join("sbom.json"), sbom).expect("OUT_DIR can be written");
    let citations = serde_json::to_vec_pretty(&citations(&root)).expect("JSON");
    fs::write(out.join("citations.json"), citations).expect("OUT_DIR can be written");
}

/// Every clause that is cited in the sources, and the files that cite it.
fn citations(root: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for plane in ["controlplane", "dataplane"] {
        let crates = fs::read_dir(root.join(plane)).expect("a plane has crates");
        for folder in crates.map(|entry| entry.expect("a readable entry").path()) {
            let sources = folder.join("src");
            if !sources.is_dir() || !folder.join("Cargo.toml").is_file() {
                continue;
            }
            println!("cargo::rerun-if-changed={}", sources.display());
            for file in files(&sources) {
                // Examples of citations, in the tests of this very search.
                if file.ends_with("evidence/src/controls/tests.rs") {
                    continue;
                }
                let text = fs::read_to_string(&file).expect("sources are text");
                let path = file
                    .strip_prefix(root)
                    .expect("below the root")
                    .display()
                    .to_string();
                for clause in clauses(&text) {
                    found.entry(clause).or_default().insert(path.clone());
                }
            }
        }
    }
    found
}

include!("src/clauses.rs");

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[derive(Deserialize)]
struct CargoLock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

#[derive(Deserialize)]
struct NpmLock {
    packages: BTreeMap<String, NpmPackage>,
}

#[derive(Deserialize)]
struct NpmPackage {
    version: Option<String>,
    integrity: Option<String>,
    license: Option<String>,
    #[serde(default)]
    dev: bool,
}

/// CycloneDX 1.5. Everything in the lock files, also what only builds and tests use: it is what a
/// release was made from. No serial number and no time: the same sources give the same text.
fn sbom(root: &Path) -> Value {
    let cargo = read(&root.join("Cargo.lock"));
    let cargo: CargoLock = toml::from_str(&cargo).expect("Cargo.lock");
    let npm = read(&root.join("controlplane/web/package-lock.json"));
    let npm: NpmLock = serde_json::from_str(&npm).expect("package-lock.json");
    let reference = |name: &str, version: &str| format!("pkg:cargo/{name}@{version}");
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in &cargo.package {
        versions
            .entry(&package.name)
            .or_default()
            .push(&package.version);
    }
    // A dependency is written `name`, or `name version` where there are several.
    let resolve = |dependency: &str| {
        let mut words = dependency.split(' ');
        let name = words.next().unwrap_or_default();
        let version = words
            .next()
            .or_else(|| versions.get(name)?.first().copied());
        reference(name, version.unwrap_or_default())
    };
    let mut components: Vec<Value> = Vec::new();
    let mut dependencies: Vec<Value> = Vec::new();
    for package in &cargo.package {
        let purl = reference(&package.name, &package.version);
        let on: BTreeSet<String> = package.dependencies.iter().map(|d| resolve(d)).collect();
        dependencies.push(json!({ "ref": purl, "dependsOn": on }));
        let mut component = json!({
            "type": "library",
            "bom-ref": purl,
            "name": package.name,
            "version": package.version,
            "purl": purl,
            "properties": [{
                "name": "bedside:origin",
                "value": if package.source.is_some() { "crates.io" } else { "bedside" },
            }],
        });
        if let Some(checksum) = &package.checksum {
            component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
        }
        components.push(component);
    }
    for (path, package) in &npm.packages {
        let (Some((_, name)), Some(version)) =
            (path.rsplit_once("node_modules/"), &package.version)
        else {
            continue;
        };
        let purl = format!("pkg:npm/{}@{version}", name.replace('@', "%40"));
        let mut component = json!({
            "type": "library",
            "bom-ref": format!("{purl}#{path}"),
            "name": name,
            "version": version,
            "purl": purl,
            "scope": if package.dev { "excluded" } else { "required" },
        });
        if let Some(license) = &package.license {
            component["licenses"] = json!([{ "expression": license }]);
        }
        let hash = package
            .integrity
            .as_deref()
            .and_then(|text| text.strip_prefix("sha512-"));
        if let Some(bytes) = hash.and_then(|hash| BASE64_STANDARD.decode(hash).ok()) {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            component["hashes"] = json!([{ "alg": "SHA-512", "content": hex }]);
        }
        components.push(component);
    }
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "bedside",
                "name": "bedside",
                "version": variable("CARGO_PKG_VERSION"),
            },
        },
        "components": components,
        "dependencies": dependencies,
    })
}

fn read(path: &Path) -> String {
    println!("cargo::rerun-if-changed={}", path.display());
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo talks to build scripts this way"
)]
fn variable(name: &str) -> String {
    std::env::var(name).expect("cargo sets it")
}
