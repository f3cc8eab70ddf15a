//! Results on standard output.

use bedside_loadgen::report::pages;
use bedside_loadgen::report::summary::Summary;

/// The essence of a result: a sentence, and figures one a line.
pub(crate) fn summary(summary: &Summary) -> String {
    let mut text = format!("{}\n", pages::lead(summary));
    let figures = pages::figures(&summary.measured);
    let width = figures.iter().map(|figure| figure.label.len()).max();
    for figure in &figures {
        let width = width.unwrap_or_default();
        text.push_str(&format!("  {:width$}  {}", figure.label, figure.value));
        if !figure.note.is_empty() {
            text.push_str(&format!(" ({})", figure.note));
        }
        text.push('\n');
    }
    for (what, count) in &summary.measured.failures {
        text.push_str(&format!("  failed {count} times: {what}\n"));
    }
    if let Some(limit) = &summary.measured.generator_limit {
        text.push_str(&format!("The generator itself was the limit: {limit}.\n"));
    }
    text
}
