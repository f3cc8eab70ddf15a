//! Results for people and programs: HTML and JSON.
//!
//! [`html`], [`plot`] and [`number`] are building blocks that know nothing of load generation; a
//! benchmark's report is made of them too.

pub mod html;
pub mod machine;
pub mod number;
pub mod pages;
pub mod plot;
pub mod summary;

#[cfg(test)]
mod tests;
