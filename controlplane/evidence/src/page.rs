//! The bundle as a page: one file, no script, nothing fetched; to be read on a screen, printed, or
//! listened to.

mod connections;
mod summary;
mod words;

use crate::controls::{self, By};
use crate::limits::PAGE_ROWS_MAX;
use crate::material::{Material, Scope};
use crate::{bundle, sbom};
use bedside_audit::{Entry, EntryAuthentication, Fact, Outcome, SignedCheckpoint};
use bedside_protocol::Phi;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;
use std::collections::BTreeMap;

/// The page.
pub(crate) fn render(material: &Material) -> String {
    let page = Page::new(material);
    let (title, about) = page.title();
    let sections: [(&str, &str, Markup); 9] = [
        ("summary", "At a glance", summary::render(&page)),
        ("people", "Who took part", page.people()),
        (
            "connections",
            "How media was protected",
            connections::render(&page),
        ),
        ("events", "What happened", page.events()),
        ("setup", "How the service was set up", page.setup()),
        ("log", "The log that proves it", page.log()),
        (
            "agreements",
            "Business-associate agreements",
            value(&material.agreements),
        ),
        (
            "controls",
            "Controls mapped to 45 CFR 164",
            controls_table(),
        ),
        (
            "inventory",
            "Inventory and bill of materials",
            page.inventory(),
        ),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; style-src 'unsafe-inline'";
                title { (title) }
                style { (PreEscaped(include_str!("page/style.css"))) }
            }
            body {
                a.skip href="#summary" { "Skip to the summary" }
                header {
                    p.kind { "Evidence bundle" }
                    h1 { (title) }
                    p { (about) }
                    @if material.clear.is_some() {
                        p.warning role="note" {
                            strong { "Names and addresses are in this bundle. " }
                            "Treat it as protected health information."
                        }
                    } @else {
                        p.note role="note" {
                            "People appear under pseudonyms such as "
                            code { (page.example_pseudonym()) }
                            ". Nobody can be named from this bundle; the operator can, with keys that \
                             are not in it."
                        }
                    }
                    (how_to_check())
                    nav aria-label="Contents" {
                        ol { @for (id, heading, _) in &sections { li { a href={ "#" (id) } { (heading) } } } }
                    }
                }
                main {
                    @for (id, heading, body) in &sections {
                        section id=(id) aria-labelledby={ (id) "-heading" } {
                            h2 id={ (id) "-heading" } { (heading) }
                            (body)
                        }
                    }
                }
                footer {
                    p {
                        "Made by Bedside " (material.release) " on "
                        (words::time(material.made)) ". Controls are mapped to 45 CFR 164; this is no \
                         certification, and no legal advice."
                    }
                }
            }
        }
    };
    page.into_string()
}

/// The material, read.
struct Page<'a> {
    material: &'a Material,
    /// Place in the log, record, and whether the bundle is about it.
    entries: Vec<(u64, Entry, bool)>,
    clear: BTreeMap<u64, &'a BTreeMap<String, Phi<String>>>,
}

impl<'a> Page<'a> {
    fn new(material: &'a Material) -> Self {
        let entries = material.entries.iter().filter_map(|proven| {
            let entry = Entry::parse(&proven.bytes).ok()?;
            let held = material.scope.holds(&entry);
            Some((proven.index, entry, held))
        });
        let clear = material.clear.iter().flatten();
        Self {
            material,
            entries: entries.collect(),
            clear: clear.map(|clear| (clear.index, &clear.detail)).collect(),
        }
    }

    /// The records that the bundle is about.
    fn held(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries
            .iter()
            .filter(|(.., held)| *held)
            .map(|(index, entry, _)| (*index, entry))
    }

    fn title(&self) -> (String, String) {
        let first = self.held().map(|(_, entry)| entry.ts).min();
        let last = self.held().map(|(_, entry)| entry.ts).max();
        match &self.material.scope {
            Scope::Consult(encounter) => {
                let when = match (first, last) {
                    (Some(first), Some(last)) => {
                        format!("From {} to {}.", words::time(first), words::time(last))
                    }
                    _ => "No record of this consult was found.".to_owned(),
                };
                (format!("Consult {encounter}"), when)
            }
            Scope::Period { from, until } => (
                format!("{} to {}", words::time(*from), words::time(*until)),
                "Everything that the audit log holds of this period.".to_owned(),
            ),
        }
    }

    fn example_pseudonym(&self) -> String {
        let found = self.held().find_map(|(_, entry)| entry.actor.pid.as_ref());
        found.map_or_else(|| "p1_…".to_owned(), |pid| words::short(pid.as_str()))
    }

    /// The name behind record `index`'s actor, if it may be seen.
    fn name(&self, index: u64, of: &str) -> Option<&str> {
        let text = self.clear.get(&index)?.get(of)?;
        Some(text.expose().as_str())
    }

    fn people(&self) -> Markup {
        let mut people: BTreeMap<&str, Person<'_>> = BTreeMap::new();
        for (index, entry) in self.held() {
            let Some(pid) = &entry.actor.pid else {
                continue;
            };
            let person = people.entry(pid.as_str()).or_default();
            person.add(entry, self.name(index, "actor"));
        }
        html! {
            p {
                "Everybody who did something, with how they proved who they are and from which \
                 network. An address's last part is not kept in the open."
            }
            @if people.is_empty() { p.nothing { "Nobody." } } @else {
                div.scroll { table {
                    thead { tr {
                        th scope="col" { "Who" } th scope="col" { "As" }
                        th scope="col" { "Proven by" } th scope="col" { "Network" }
                        th scope="col" { "Records" } th scope="col" { "First" } th scope="col" { "Last" }
                    } }
                    tbody { @for (pid, person) in people.iter().take(PAGE_ROWS_MAX) { tr {
                        th scope="row" {
                            code title=(pid) { (words::short(pid)) }
                            @for name in &person.names { br; (name) }
                        }
                        td { (list(&person.kinds)) }
                        td { (list(&person.proofs)) }
                        td { (list(&person.networks)) }
                        td.number { (person.records) }
                        td { (person.first.map(words::time).unwrap_or_default()) }
                        td { (person.last.map(words::time).unwrap_or_default()) }
                    } } }
                } }
            }
        }
    }

    fn events(&self) -> Markup {
        let rows: Vec<(u64, &Entry)> = self.held().collect();
        html! {
            p {
                "Every record in the log's order. Its number is its place in the log; "
                code { (bundle::ENTRIES) } " has each in full and " code { (bundle::PROOFS) }
                " proves it."
            }
            @if rows.is_empty() { p.nothing { "Nothing was recorded." } } @else {
                div.scroll { table {
                    thead { tr {
                        th scope="col" { "No." } th scope="col" { "When (UTC)" } th scope="col" { "Who" }
                        th scope="col" { "What" } th scope="col" { "Outcome" } th scope="col" { "More" }
                    } }
                    tbody { @for (index, entry) in rows.iter().take(PAGE_ROWS_MAX) { (self.row(*index, entry)) } }
                } }
                @if rows.len() > PAGE_ROWS_MAX {
                    p.note {
                        (rows.len() - PAGE_ROWS_MAX) " more are in " code { (bundle::ENTRIES) } "."
                    }
                }
            }
        }
    }

    fn row(&self, index: u64, entry: &Entry) -> Markup {
        let (class, outcome) = words::outcome(entry.outcome);
        html! {
            tr class=(class) {
                th.number scope="row" { (index) }
                td { time datetime=(entry.ts) { (words::time(entry.ts)) } }
                td {
                    @match &entry.actor.pid {
                        Some(pid) => code title=(pid) { (words::short(pid.as_str())) },
                        None => span { (words::kind(entry.actor.kind)) },
                    }
                    @if let Some(name) = self.name(index, "actor") { br; (name) }
                    @if let Some(role) = entry.actor.role { br; span.quiet { (words::label(role.name())) } }
                }
                td { (words::action(entry.action)) br; code.quiet { (entry.action.name()) } }
                td {
                    span.outcome { (outcome) }
                    @if let Some(reason) = &entry.reason { br; code { (reason) } }
                }
                td.facts { (self.more(index, entry)) }
            }
        }
    }

    /// What else a record says.
    fn more(&self, index: u64, entry: &Entry) -> Markup {
        let clear = self.clear.get(&index);
        html! {
            dl {
                @if let Some(object) = &entry.object {
                    dt { (words::label(&object.kind)) } dd { code { (object.id) } }
                }
                @if let Some(policy) = &entry.policy {
                    dt { "decided by" }
                    dd { (policy.ids.join(", ")) " " code.quiet title=(policy.hash) { (words::short(&policy.hash)) } }
                }
                @for (name, fact) in &entry.facts {
                    dt { (words::label(name)) } dd { (fact_text(fact)) }
                }
                @for (name, text) in clear.into_iter().flat_map(|detail| detail.iter()) {
                    @if name != "actor" { dt.clear { (words::label(name)) } dd.clear { (text.expose()) } }
                }
            }
        }
    }

    fn setup(&self) -> Markup {
        let context: Vec<_> = self.entries.iter().filter(|(.., held)| !held).collect();
        html! {
            p {
                "What the log says of the service's start, configuration and policies before the \
                 first record above; and the configuration in force when this bundle was made, \
                 without secrets."
            }
            @if context.is_empty() { p.nothing { "Nothing was recorded before." } } @else {
                div.scroll { table {
                    thead { tr {
                        th scope="col" { "No." } th scope="col" { "When (UTC)" } th scope="col" { "Who" }
                        th scope="col" { "What" } th scope="col" { "Outcome" } th scope="col" { "More" }
                    } }
                    tbody { @for (index, entry, _) in context { (self.row(*index, entry)) } }
                } }
            }
            details { summary { "Configuration" } (value(&self.material.configuration)) }
        }
    }

    fn log(&self) -> Markup {
        let Ok(note) = SignedCheckpoint::parse(&self.material.checkpoint) else {
            return html! { p.warning { "The checkpoint does not read." } };
        };
        let checkpoint = note.unverified();
        let witnesses = note
            .cosigned_by(&self.material.witness_keys)
            .unwrap_or_default();
        html! {
            p {
                "Every record is a leaf of one tree; its root is signed. Changing, removing or \
                 inserting one gives another root, and the signature no longer fits. Witnesses are \
                 other people's servers: each remembers the root that it signed, so that the \
                 operator cannot show two histories."
            }
            dl.wide {
                dt { "Log" } dd { code { (checkpoint.origin) } }
                dt { "Records in it" } dd { (checkpoint.size) }
                dt { "Root (SHA-256, base64)" } dd { code { (bundle::text_of(&checkpoint.root)) } }
                dt { "Signed by" }
                dd { @for key in &self.material.log_keys {
                    @if note.is_signed_by(key).unwrap_or(false) { code { (key) } br; }
                } }
                dt { "Witnesses" }
                dd {
                    @if witnesses.is_empty() {
                        "None cosigned this checkpoint: that it was not rolled back rests on the \
                         operator's word and on copies of earlier checkpoints."
                    }
                    @for cosigned in &witnesses {
                        code { (cosigned.witness) } " on " (words::seconds(cosigned.at_s)) br;
                    }
                }
            }
        }
    }

    fn inventory(&self) -> Markup {
        html! {
            (value(&self.material.inventory))
            p {
                "The software was made from " (sbom::component_count()) " components, named with \
                 their versions and hashes in " code { (bundle::SBOM) } " (CycloneDX)."
            }
        }
    }
}

/// Somebody, from all their records.
#[derive(Default)]
struct Person<'a> {
    names: Vec<&'a str>,
    kinds: Vec<String>,
    proofs: Vec<String>,
    networks: Vec<String>,
    records: u64,
    first: Option<bedside_audit::Timestamp>,
    last: Option<bedside_audit::Timestamp>,
}

impl<'a> Person<'a> {
    fn add(&mut self, entry: &Entry, name: Option<&'a str>) {
        self.records += 1;
        self.first = Some(self.first.map_or(entry.ts, |first| first.min(entry.ts)));
        self.last = self.last.max(Some(entry.ts));
        if let Some(name) = name.filter(|name| !self.names.contains(name)) {
            self.names.push(name);
        }
        let kind = entry.actor.role.map_or_else(
            || words::kind(entry.actor.kind).to_owned(),
            |role| words::label(role.name()),
        );
        add(&mut self.kinds, kind);
        if let Some(authentication) = &entry.actor.authn {
            add(&mut self.proofs, proof(authentication));
        }
        if let Some(network) = &entry.actor.network {
            add(&mut self.networks, network.clone());
        }
    }
}

/// How somebody proved who they are: the way, who vouched, and what was shown there.
fn proof(authentication: &EntryAuthentication) -> String {
    let mut text = words::label(&authentication.method);
    if let Some(provider) = &authentication.provider {
        text.push_str(&format!(" by {provider}"));
    }
    let shown = authentication.amr.iter().chain(&authentication.acr);
    let shown: Vec<&str> = shown.map(String::as_str).collect();
    if !shown.is_empty() {
        text.push_str(&format!(" ({})", shown.join(", ")));
    }
    text
}

fn add(list: &mut Vec<String>, text: String) {
    if !list.contains(&text) {
        list.push(text);
    }
}

fn list(texts: &[String]) -> Markup {
    html! { @for (index, text) in texts.iter().enumerate() { @if index > 0 { br; } (text) } }
}

fn fact_text(fact: &Fact) -> Markup {
    match fact {
        Fact::Number(number) => html! { (number) },
        Fact::Flag(true) => html! { "yes" },
        Fact::Flag(false) => html! { "no" },
        Fact::Text(text) => html! { code title=(text) { (words::short(text)) } },
    }
}

fn how_to_check() -> Markup {
    html! {
        div.check {
            h2 { "Check it yourself" }
            p { "With the archive that this page came in, on any machine, without the operator:" }
            pre { "bedside evidence verify FILE --key 'KEY'" }
            p {
                code { "KEY" } " is the log's verifier key. Get it from the operator another way than \
                 in this bundle. The command names whatever was changed, to the record. "
                code { (bundle::README) } " says how to check without Bedside."
            }
        }
    }
}

fn controls_table() -> Markup {
    let citations = controls::citations();
    html! {
        p {
            "What is done for each clause, how to see it, and which tests hold it. The files are those \
             of the source code that cite the clause."
        }
        div.scroll { table.controls {
            thead { tr {
                th scope="col" { "Clause" } th scope="col" { "Whose" } th scope="col" { "What is done" }
                th scope="col" { "Evidence" } th scope="col" { "Held by" }
            } }
            tbody { @for control in controls::all() {
                tr class=[(control.by == By::Operator).then_some("operator")] {
                    th scope="row" { (control.clause) br; span.quiet { (control.title) } }
                    td { (control.by.words()) }
                    td { (code_spans(&control.does)) }
                    td { (code_spans(&control.evidence)) }
                    td {
                        @let files = controls::cited_in(&control, &citations);
                        @if !control.tests.is_empty() || !files.is_empty() { details {
                            summary { (count(control.tests.len(), "test")) ", " (count(files.len(), "file")) }
                            ul {
                                @for test in &control.tests { li { code { (test) } } }
                                @for file in files { li { code.quiet { (file) } } }
                            }
                        } }
                    }
                }
            } }
        } }
    }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}

/// Text in which `code` stands between backquotes.
fn code_spans(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// JSON, for people.
fn value(json: &Value) -> Markup {
    match json {
        Value::Null => html! { span.nothing { "-" } },
        Value::Bool(true) => html! { "yes" },
        Value::Bool(false) => html! { "no" },
        Value::Number(number) => html! { (number) },
        Value::String(text) => html! { (text) },
        Value::Array(items) if items.is_empty() => html! { span.nothing { "none" } },
        Value::Array(items) => match columns(items) {
            Some(columns) => html! {
                div.scroll { table {
                    thead { tr { @for column in &columns { th scope="col" { (words::label(column)) } } } }
                    tbody { @for item in items.iter().take(PAGE_ROWS_MAX) { tr {
                        @for column in &columns { td { (value(&item[column])) } }
                    } } }
                } }
            },
            None => {
                html! { ul { @for item in items.iter().take(PAGE_ROWS_MAX) { li { (value(item)) } } } }
            }
        },
        Value::Object(members) if members.is_empty() => html! { span.nothing { "none" } },
        Value::Object(members) => html! {
            dl.wide { @for (name, item) in members { dt { (words::label(name)) } dd { (value(item)) } } }
        },
    }
}

/// The members of objects that make a table: all of them objects, with few members.
fn columns(items: &[Value]) -> Option<Vec<String>> {
    const COLUMNS_MAX: usize = 8;
    let mut columns: Vec<String> = Vec::new();
    for item in items {
        for name in item.as_object()?.keys() {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
    }
    (1..=COLUMNS_MAX)
        .contains(&columns.len())
        .then_some(columns)
}

/// How many of `entries` ended so.
fn ended(page: &Page<'_>, outcome: Outcome) -> usize {
    page.held()
        .filter(|(_, entry)| entry.outcome == outcome)
        .count()
}

#[cfg(test)]
mod tests;
