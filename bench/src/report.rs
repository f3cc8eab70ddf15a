//! The table: on the terminal, as HTML, as JSON.

use crate::{figure::Figure, machine::Machine};
use anyhow::{Context, Result};
use bedside_loadgen::report::html::{Goal, Page, Table, Verdict};
use serde::Serialize;
use std::{fmt::Write as _, fs, path::Path};

/// Everything that a run found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where it was measured.
    pub machine: Machine,
    /// The table, in order.
    pub figures: Vec<Figure>,
    /// What a reader must know before believing it.
    pub notices: Vec<String>,
}

impl Report {
    /// The table as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let width = |of: fn(&Figure) -> String| {
            let widths = self.figures.iter().map(|one| of(one).chars().count());
            widths.max().unwrap_or_default()
        };
        let what = width(|one| one.what.clone());
        let goal = width(Figure::goal_text);
        let measured = width(Figure::measured_text);
        for figure in &self.figures {
            let verdict = match figure.reached() {
                Some(true) => "reached",
                Some(false) => "MISSED",
                None => "-",
            };
            // Writing to a string cannot fail.
            let _infallible = writeln!(
                text,
                "{:<what$}  {:<goal$}  {:<measured$}  {verdict:<7}  {}",
                figure.what,
                figure.goal_text(),
                figure.measured_text(),
                figure.note_text(),
            );
        }
        for notice in &self.notices {
            let _infallible = writeln!(text, "note: {notice}");
        }
        text
    }

    /// The page.
    ///
    /// # Errors
    /// It cannot be drawn.
    pub fn html(&self) -> Result<String> {
        let judged = self.figures.iter().filter_map(Figure::reached);
        let (mut reached, mut missed) = (0, 0);
        for good in judged {
            if good { reached += 1 } else { missed += 1 }
        }
        let lead = format!("{reached} goals reached, {missed} missed.");
        let mut page = Page::new("Bedside: what forwarding costs", lead);
        for notice in &self.notices {
            page.notice(notice.clone());
        }
        page.heading("Goals");
        let goals = self.figures.iter().filter(|one| one.goal.is_some());
        page.goals(goals.map(goal).collect());
        page.heading("Other figures");
        let rest = self.figures.iter().filter(|one| one.goal.is_none());
        page.table(Table {
            caption: String::new(),
            columns: ["What", "Measured", "Note"].map(str::to_owned).to_vec(),
            rows: rest
                .map(|one| vec![one.what.clone(), one.measured_text(), one.note_text()])
                .collect(),
        });
        page.heading("Machine");
        page.table(Table::facts(&self.machine.facts()));
        page.heading("How");
        page.paragraph(HOW);
        page.code("cargo xtask bench");
        Ok(page.render()?)
    }

    /// Writes both files that are asked for.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, html: Option<&Path>, json: Option<&Path>) -> Result<()> {
        if let Some(path) = html {
            write(path, &self.html()?)?;
        }
        if let Some(path) = json {
            write(path, &serde_json::to_string_pretty(self)?)?;
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn goal(figure: &Figure) -> Goal {
    Goal {
        what: figure.what.clone(),
        goal: figure.goal_text(),
        measured: figure.measured_text(),
        verdict: match figure.reached() {
            Some(true) => Verdict::Reached,
            Some(false) => Verdict::Missed,
            None => Verdict::NotMeasured,
        },
        note: figure.note_text(),
    }
}

const HOW: &str = "Servers run on one processor, the generator on another. Cost is the run time of \
    all threads of a server by the kernel's scheduler, over the packets that arrived at the \
    subscribers' sockets. On loopback the receiving socket's work is charged to the sender, so \
    headline figures use sockets whose filter drops in the kernel. Ratios are to the limit program, \
    which takes the same packets from the same generator in turns with Bedside; repeats that differ \
    by more than 5 % are discarded, and a figure whose repeats never agreed is marked as noise.";
