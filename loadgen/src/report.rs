//! Results for people and programs: HTML and JSON.
