//! Tables for people, JSON for programs.

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::io::{self, Write};

/// How a command that reads answers.
#[derive(Args, Clone, Copy)]
pub(crate) struct Format {
    /// Print JSON; field names stay as they are between releases
    #[arg(long)]
    pub(crate) json: bool,
}

impl Format {
    /// Prints `value` as JSON, or as what `people` makes of it.
    pub(crate) fn print<T: Serialize>(
        self,
        value: &T,
        people: impl FnOnce(&T) -> String,
    ) -> Result<()> {
        let text = if self.json {
            serde_json::to_string_pretty(value)?
        } else {
            people(value)
        };
        line(text.trim_end())
    }
}

/// A line on standard output. A reader that has gone away (`| head`) is not an error.
pub(crate) fn line(text: &str) -> Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Columns as wide as their widest cell; `nothing` when there are no rows.
pub(crate) fn table<const N: usize>(
    head: [&str; N],
    rows: &[[String; N]],
    nothing: &str,
) -> String {
    if rows.is_empty() {
        return nothing.to_owned();
    }
    let mut widths = head.map(|title| title.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let write = |cells: [&str; N]| {
        let padded = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![write(head)];
    lines.extend(
        rows.iter()
            .map(|row| write(std::array::from_fn(|n| row[n].as_str()))),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            ["a".to_owned(), "long cell".to_owned()],
            ["bcd".to_owned(), "x".to_owned()],
        ];
        let text = table(["ID", "WHAT"], &rows, "none");
        assert_eq!(text, "ID   WHAT\na    long cell\nbcd  x");
        assert_eq!(table::<1>(["ID"], &[], "none"), "none");
    }
}
