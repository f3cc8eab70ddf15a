//! What the software was made from, as its lock files say.

use serde_json::Value;

/// The bill of materials: CycloneDX 1.5, JSON.
pub const TEXT: &str = include_str!(concat!(env!("OUT_DIR"), "/sbom.json"));

/// How many components it names.
#[must_use]
pub fn component_count() -> usize {
    let bom: Value = serde_json::from_str(TEXT).unwrap_or_default();
    bom["components"].as_array().map_or(0, Vec::len)
}

#[cfg(test)]
mod tests;
