//! A page for people: one HTML file that needs nothing from outside, readable on a phone, in dark
//! and light, and on paper. It knows nothing of load; whoever has something to report fills it.

use crate::report::plot::{self, Plot};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A page: a title and blocks, in order.
#[derive(Clone, PartialEq, Debug)]
pub struct Page {
    title: String,
    lead: String,
    blocks: Vec<Block>,
}

/// A part of a page.
#[derive(Clone, PartialEq, Debug)]
enum Block {
    Heading(String),
    Paragraph(String),
    Notice(String),
    Figures(Vec<Figure>),
    Goals(Vec<Goal>),
    Table(Table),
    Plots(Vec<Plot>),
    Code(String),
}

/// A figure that stands out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Figure {
    /// What it is.
    pub label: String,
    /// With its unit.
    pub value: String,
    /// What to know about it; may be empty.
    pub note: String,
}

/// What was to be reached, beside what was measured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Goal {
    /// What it is of.
    pub what: String,
    /// With its unit.
    pub goal: String,
    /// With its unit.
    pub measured: String,
    /// Which it is.
    pub verdict: Verdict,
    /// How it was measured, or what stands in the way; may be empty.
    pub note: String,
}

/// Whether a goal is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is.
    Reached,
    /// It is not.
    Missed,
    /// Nobody knows.
    NotMeasured,
}

/// Rows and columns.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Table {
    /// Above the table; may be empty.
    pub caption: String,
    /// The first is what a row is of, the others are right-aligned.
    pub columns: Vec<String>,
    /// Each as long as [`columns`](Self::columns).
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of facts: what, and what it is.
    #[must_use]
    pub fn facts(facts: &[(&str, String)]) -> Self {
        let rows = facts.iter();
        Self {
            rows: rows
                .map(|(name, value)| vec![(*name).to_owned(), value.clone()])
                .collect(),
            ..Self::default()
        }
    }
}

impl Page {
    /// An empty page. The lead says in a sentence or two what was found; it may be empty.
    pub fn new(title: impl Into<String>, lead: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            lead: lead.into(),
            blocks: Vec::new(),
        }
    }

    /// Begins a section.
    pub fn heading(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Heading(text.into()));
    }

    /// Adds a paragraph.
    pub fn paragraph(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(text.into()));
    }

    /// Adds something that the reader must not miss.
    pub fn notice(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Notice(text.into()));
    }

    /// Adds figures that stand out, side by side.
    pub fn figures(&mut self, figures: Vec<Figure>) {
        self.blocks.push(Block::Figures(figures));
    }

    /// Adds goals beside measured values.
    pub fn goals(&mut self, goals: Vec<Goal>) {
        self.blocks.push(Block::Goals(goals));
    }

    /// Adds a table.
    pub fn table(&mut self, table: Table) {
        self.blocks.push(Block::Table(table));
    }

    /// Adds plots, side by side where the screen is wide. Those that are empty are left out.
    pub fn plots(&mut self, plots: Vec<Plot>) {
        let plots: Vec<_> = plots.into_iter().filter(|plot| !plot.is_empty()).collect();
        if !plots.is_empty() {
            self.blocks.push(Block::Plots(plots));
        }
    }

    /// Adds text as it is: a command, a file.
    pub fn code(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Code(text.into()));
    }

    /// The page as a file.
    ///
    /// # Errors
    /// A plot cannot be drawn.
    pub fn render(&self) -> Result<String, plot::Error> {
        let blocks = self
            .blocks
            .iter()
            .map(Block::render)
            .collect::<Result<Vec<_>, _>>()?;
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) (PreEscaped(plot::style_sheet())) }
                }
                body {
                    main {
                        h1 { (self.title) }
                        @if !self.lead.is_empty() { p.lead { (self.lead) } }
                        @for block in blocks { (block) }
                    }
                }
            }
        };
        Ok(page.into_string())
    }
}

impl Block {
    fn render(&self) -> Result<Markup, plot::Error> {
        Ok(match self {
            Self::Heading(text) => html! { h2 { (text) } },
            Self::Paragraph(text) => html! { p { (text) } },
            Self::Notice(text) => html! { p.notice role="note" { (text) } },
            Self::Code(text) => html! { pre { code { (text) } } },
            Self::Figures(figures) => html! {
                div.figures {
                    @for figure in figures {
                        div.figure {
                            div.label { (figure.label) }
                            div.value { (figure.value) }
                            @if !figure.note.is_empty() { div.note { (figure.note) } }
                        }
                    }
                }
            },
            Self::Goals(goals) => goals_table(goals),
            Self::Table(table) => table.render(),
            Self::Plots(plots) => {
                let drawn = plots
                    .iter()
                    .map(|plot| Ok((plot, plot.to_svg()?)))
                    .collect::<Result<Vec<_>, plot::Error>>()?;
                html! {
                    div.plots { @for (plot, svg) in drawn { (figure(plot, &svg)) } }
                }
            }
        })
    }
}

impl Table {
    fn render(&self) -> Markup {
        html! {
            div.scroll {
                table.facts[self.columns.is_empty()] {
                    @if !self.caption.is_empty() { caption { (self.caption) } }
                    @if !self.columns.is_empty() {
                        thead { tr { @for column in &self.columns { th scope="col" { (column) } } } }
                    }
                    tbody {
                        @for row in &self.rows {
                            tr {
                                @for (index, cell) in row.iter().enumerate() {
                                    @if index == 0 { th scope="row" { (unbroken(cell)) } }
                                    @else { td.words[is_words(cell)] { (unbroken(cell)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A figure and its unit stay on one line; longer texts may break.
fn unbroken(cell: &str) -> String {
    if is_words(cell) {
        return cell.to_owned();
    }
    cell.replace(' ', "\u{a0}")
}

fn is_words(cell: &str) -> bool {
    cell.chars().count() > UNBROKEN_MAX
}

fn goals_table(goals: &[Goal]) -> Markup {
    html! {
        table.goals {
            thead { tr {
                th scope="col" { "What" }
                th scope="col" { "Goal" }
                th scope="col" { "Measured" }
                th scope="col" { "Verdict" }
            } }
            tbody {
                @for goal in goals {
                    tr {
                        th scope="row" {
                            (goal.what)
                            @if !goal.note.is_empty() { div.note { (goal.note) } }
                        }
                        td data-label="Goal" { (goal.goal) }
                        td data-label="Measured" { (goal.measured) }
                        td data-label="Verdict" {
                            @match goal.verdict {
                                Verdict::Reached => span.reached { "✓ reached" },
                                Verdict::Missed => span.missed { "✗ missed" },
                                Verdict::NotMeasured => span.unknown { "– not measured" },
                            }
                        }
                    }
                }
            }
        }
    }
}

fn figure(plot: &Plot, svg: &str) -> Markup {
    html! {
        figure {
            figcaption {
                strong { (plot.title) }
                div.legend {
                    @for (class, name) in plot.legend() {
                        span { i class=(class) {} (name) }
                    }
                }
            }
            div role="img" aria-label=(plot.title) { (PreEscaped(svg)) }
        }
    }
}

/// Letters of a cell that stays on one line.
const UNBROKEN_MAX: usize = 24;

const STYLE: &str = include_str!("style.css");
