//! What the server says beside the rows: caveats as numbered footnotes, and a line that sums the answer up.

use std::io::{self, Write};
use std::time::Duration;

use serde::Deserialize;

use crate::render::Rendered;
use crate::surroundings::{folded, printable};

/// The notes in the last message of an answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Notes {
    #[serde(default)]
    pub(crate) nodes: Vec<NodeNote>,
    #[serde(default)]
    pub(crate) caveats: Vec<String>,
}

/// How one node took part.
#[derive(Debug, Deserialize)]
pub(crate) struct NodeNote {
    pub(crate) node: String,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) message: String,
}

/// Everything there is to say after an answer.
pub(crate) struct Closing<'a> {
    pub(crate) notes: &'a Notes,
    pub(crate) rendered: &'a Rendered,
    pub(crate) query_id: &'a str,
    pub(crate) elapsed: Duration,
    /// How wide the screen is that it is said on, if it is one.
    pub(crate) width: Option<u16>,
}

impl Closing<'_> {
    /// Writes footnotes and summary.
    pub(crate) fn write(&self, stderr: &mut dyn Write) -> io::Result<()> {
        for (number, footnote) in (1..).zip(self.footnotes()) {
            writeln!(stderr, "{}", self.fit(&format!("[{number}] "), &footnote))?;
        }
        writeln!(stderr, "{}", self.fit("", &self.summary()))
    }

    fn fit(&self, head: &str, text: &str) -> String {
        folded(head, &printable(text), self.width.map_or(usize::MAX, usize::from))
    }

    fn footnotes(&self) -> Vec<String> {
        let mut footnotes = self.notes.caveats.clone();
        for node in self.notes.nodes.iter().filter(|node| node.status != "answered") {
            let why = if node.message.is_empty() { String::new() } else { format!(": {}", node.message) };
            footnotes.push(format!("without {} ({}){why}", node.node, node.status));
        }
        if self.rendered.withheld > 0 {
            let (cells, shown) = (plural(self.rendered.withheld, "cell"), self.rendered.withheld_as);
            footnotes.push(format!("{cells} withheld to protect people, {shown}"));
        }
        footnotes
    }

    fn summary(&self) -> String {
        let mut parts =
            vec![plural(self.rendered.rows, "row"), format!("{:.2} s", self.elapsed.as_secs_f64())];
        let asked = self.notes.nodes.len();
        if asked > 0 {
            let answered = self.notes.nodes.iter().filter(|node| node.status == "answered").count();
            parts.push(format!("{answered} of {asked} nodes answered"));
        }
        if !self.query_id.is_empty() {
            parts.push(format!("query {}", self.query_id));
        }
        parts.join(" · ")
    }
}

/// `1 row`, `12,345 rows`.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    let ending = if count == 1 { "" } else { "s" };
    format!("{text} {noun}{ending}")
}
