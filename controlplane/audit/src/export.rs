//! Entries for other programs: JSON Lines, CSV and FHIR. All of them hold pseudonyms only.

mod csv;
mod fhir;
mod json_lines;

pub use csv::{CSV_HEADER, csv_row};
pub use fhir::audit_event;
pub use json_lines::{JsonLine, json_line};
