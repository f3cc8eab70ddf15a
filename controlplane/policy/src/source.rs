//! Where policies come from: built in, and an operator's folder over them.

use crate::Error;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The schema's file.
pub(crate) const SCHEMA: (&str, &str) = (
    "bedside.cedarschema",
    include_str!("../policies/bedside.cedarschema"),
);

/// The file that nobody replaces.
const GUARDRAILS: &str = "guardrails.cedar";

const BUILT_IN: [(&str, &str); 5] = [
    (
        "administration.cedar",
        include_str!("../policies/administration.cedar"),
    ),
    ("consults.cedar", include_str!("../policies/consults.cedar")),
    (GUARDRAILS, include_str!("../policies/guardrails.cedar")),
    ("public.cedar", include_str!("../policies/public.cedar")),
    ("records.cedar", include_str!("../policies/records.cedar")),
];

/// The files in force, by name: the built-in ones, where a file of the same name in `folder`
/// takes the place of one and any other file in it comes on top.
pub(crate) fn files(folder: Option<&Path>) -> Result<BTreeMap<String, String>, Error> {
    let mut files: BTreeMap<String, String> = BUILT_IN
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    let Some(folder) = folder else {
        return Ok(files);
    };
    let read = |cause| Error::Read {
        path: folder.to_owned(),
        cause,
    };
    for entry in fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name == GUARDRAILS || name.ends_with(".cedarschema") {
            return Err(Error::BuiltIn(name));
        }
        if !name.ends_with(".cedar") {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(|cause| Error::Read { path, cause })?;
        files.insert(name, text);
    }
    Ok(files)
}
