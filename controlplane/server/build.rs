//! Builds the consult page's files into the server: writes `assets.rs`, a table of paths, entity
//! tags and contents. Without them the crate still builds, and the server says what to run.

use flate2::{Compression, write::GzEncoder};
use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(variable("OUT_DIR"));
    let dist = manifest.join("../web/dist");
    println!("cargo::rerun-if-changed=../web/dist");
    println!("cargo::rerun-if-changed=migrations");
    let files = files(&dist);
    if files.is_empty() {
        println!(
            "cargo::warning=the consult page is not built: controlplane/web/dist is missing; \
             run `cargo xtask build`"
        );
    }
    let mut table = format!("static ASSETS: [Asset; {}] = [\n", files.len());
    for (index, file) in files.iter().enumerate() {
        entry(&mut table, index, file, &dist, &out);
    }
    table.push_str("];\n");
    fs::write(out.join("assets.rs"), table).expect("OUT_DIR can be written");
}

fn entry(table: &mut String, index: usize, file: &Path, dist: &Path, out: &Path) {
    let bytes = fs::read(file).expect("a built file can be read");
    let copy = out.join(format!("{index}.bytes"));
    let gzip_copy = out.join(format!("{index}.gz"));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&bytes).expect("memory can be written");
    let gzip = gzip.finish().expect("memory can be written");
    fs::write(&copy, &bytes).expect("OUT_DIR can be written");
    fs::write(&gzip_copy, gzip).expect("OUT_DIR can be written");
    let name = file.strip_prefix(dist).expect("it was found there");
    let path = format!("/{}", name.display());
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let etag = format!("\"{:016x}\"", hasher.finish());
    writeln!(
        table,
        "Asset {{ path: {path:?}, content_type: {:?}, etag: {etag:?}, \
         bytes: include_bytes!({copy:?}), gzip: include_bytes!({gzip_copy:?}) }},",
        content_type(name),
    )
    .expect("a string can be written");
}

/// All files below `dist`, in a fixed order; none when it does not exist.
fn files(dist: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dist) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a directory entry can be read").path())
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect();
    found.sort();
    found
}

fn content_type(name: &Path) -> &'static str {
    match name.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("woff2") => "font/woff2",
        Some("wasm") => "application/wasm",
        _ => "text/plain; charset=utf-8",
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo talks to build scripts this way"
)]
fn variable(name: &str) -> String {
    std::env::var(name).expect("cargo sets it")
}
