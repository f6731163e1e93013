//! Text for a terminal of 80 columns.

/// Columns of the page.
pub(super) const WIDTH: usize = 80;
/// Columns of the labels in front of values.
const LABEL: usize = 11;

/// What the text may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Letters alone.
    Plain,
    /// Headings in bold, by ANSI escape sequences.
    Terminal,
}

/// A page that is being written.
#[derive(Debug)]
pub(super) struct Page {
    style: Style,
    text: String,
}

impl Page {
    pub(super) fn new(style: Style) -> Self {
        Self { style, text: String::new() }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    /// A heading, with an empty line above unless it is the first.
    pub(super) fn heading(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let text = harmless(text);
        match self.style {
            Style::Plain => self.text.push_str(&text),
            Style::Terminal => self.text.push_str(&format!("\x1b[1m{text}\x1b[0m")),
        }
        self.text.push('\n');
    }

    /// A line as it is.
    pub(super) fn line(&mut self, text: &str) {
        self.text.push_str(harmless(text).trim_end());
        self.text.push('\n');
    }

    /// A value behind its label, wrapped between words.
    pub(super) fn row(&mut self, label: &str, value: &str) {
        self.wrapped(&format!("  {label:<LABEL$} "), value);
    }

    /// `text` behind `front`, wrapped between words; later lines begin where the first one does.
    pub(super) fn wrapped(&mut self, front: &str, text: &str) {
        let indent = front.chars().count();
        let mut line = front.to_owned();
        let mut empty = true;
        for word in text.split(' ') {
            if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(&line);
                line = " ".repeat(indent);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.line(&line);
    }
}

/// `text` without bytes that would command the terminal: profiles are edited by hand.
fn harmless(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().collect() } else { String::from(c) };
    text.chars().map(shown).collect()
}

/// `text`, cut to `width` columns with a sign that something is missing.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A rate with three significant digits.
pub(super) fn amount(x: f64) -> String {
    shared::units::round_significant(x, 3).to_string()
}

/// Bytes with the unit that suits their size: `637 B`, `18.4 kB`.
pub(super) fn bytes(bytes: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 || value >= 99.95 {
        format!("{value:.0} {}", units[unit])
    } else {
        format!("{value:.1} {}", units[unit])
    }
}

/// `1 endpoint`, `2 endpoints`.
pub(super) fn plural(n: u64, what: &str) -> String {
    format!("{} {what}{}", crate::report::grouped(n), if n == 1 { "" } else { "s" })
}

/// A word of the profile's format as it is written there, such as `int` or `think`.
pub(super) fn word(value: impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
