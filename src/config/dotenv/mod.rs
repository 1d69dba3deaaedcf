//! `.env`, read as Docker Compose reads it.
//!
//! The grammar is that of Compose 2 (`env_file` in
//! <https://docs.docker.com/reference/compose-file/services/>, the package `dotenv` of
//! compose-go), so that one file means one thing to both. What it holds for other programs is
//! read, since values may refer to it, and never judged: each line has a result of its own, and
//! whoever asks for settings looks only at those that are settings.

use std::{collections::HashMap, ffi::OsString, fmt};

mod problem;
mod quotes;
mod template;

pub use self::problem::Problem;
use crate::text::{self, NotText};

/// The longest value: an environment variable cannot be longer (`MAX_ARG_STRLEN` of Linux), and
/// values that are made of others would grow without end.
const MAX_VALUE_BYTES: usize = 128 * 1024;

/// What a line, or several with a quoted value, says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The line it begins in, from 1.
    pub line: usize,
    /// The name it sets. Of a line that sets none, its first word.
    pub name: String,
    /// What the name stands for, or why that cannot be said.
    pub value: Result<Value, Problem>,
    /// Names that seem to be set within a quoted value or behind it: if one of them is of
    /// interest, the quote was most likely meant to end earlier. Of a line that sets none, further
    /// names that it may have been meant to set, as the second of `set NAME=VALUE`.
    pub within: Vec<String>,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Value {
    /// With all variables in it replaced.
    pub text: String,
    /// Whether a variable in it, or in one that it refers to, is not set, and was taken for empty
    /// as Compose does.
    pub has_unset: bool,
}

/// Why a file cannot be read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is no text.
    NotText(NotText),
    /// A carriage return ends a line: some readers take the next line for a part of this one.
    CarriageReturn {
        /// Counted from 1.
        line: usize,
    },
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText(error) => error.fmt(f),
            Self::CarriageReturn { line } => write!(
                f,
                "line {line}: there is a carriage return without a line feed; save it with line ends of Unix or Windows"
            ),
        }
    }
}

/// Reads a file. A variable in a value is looked for in `environment`, then in the lines before.
///
/// # Errors
///
/// If it cannot be told what its lines are.
pub fn read(
    file: &[u8],
    environment: &[(OsString, OsString)],
) -> Result<Vec<Statement>, Unreadable> {
    let bytes = text::without_mark(file).map_err(Unreadable::NotText)?;
    let (text, foreign) = lossy(bytes);
    if let Some(position) = lone_carriage_return(&text) {
        let line = 1 + line_feeds(&text[..position]);
        return Err(Unreadable::CarriageReturn { line });
    }
    let mut reader = Reader {
        rest: &text,
        line: 1,
        length: text.len(),
        foreign,
        variables: Variables::of(environment),
    };
    let mut statements = Vec::new();
    while reader.skip_to_statement() {
        statements.extend(reader.statement());
    }
    Ok(statements)
}

/// The text, and where something was not UTF-8: whether that matters depends on whose line it is.
fn lossy(bytes: &[u8]) -> (String, Vec<usize>) {
    let (mut text, mut foreign) = (String::new(), Vec::new());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            foreign.push(text.len());
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    (text, foreign)
}

fn line_feeds(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

fn lone_carriage_return(text: &str) -> Option<usize> {
    text.match_indices('\r')
        .map(|(position, _)| position)
        .find(|position| {
            let after = text[*position..].trim_start_matches('\r');
            !after.is_empty() && !after.starts_with('\n')
        })
}

/// A variable, as a value that refers to it finds it.
enum Variable<'a> {
    Text { text: &'a str, has_unset: bool },
    Unreadable,
    Unset,
}

/// All variables a value may refer to.
struct Variables<'a> {
    environment: HashMap<&'a str, Option<&'a str>>,
    /// `None` of a line that cannot be read.
    lines: HashMap<String, Option<Value>>,
}

impl<'a> Variables<'a> {
    fn of(environment: &'a [(OsString, OsString)]) -> Self {
        Self {
            environment: environment
                .iter()
                .filter_map(|(name, value)| Some((name.to_str()?, value.to_str())))
                .collect(),
            lines: HashMap::new(),
        }
    }

    fn get(&self, name: &str) -> Variable<'_> {
        let line = || {
            let line = self.lines.get(name)?.as_ref();
            Some(line.map(|value| (value.text.as_str(), value.has_unset)))
        };
        let outer = self.environment.get(name);
        let outer = outer.map(|text| text.map(|text| (text, false)));
        match outer.or_else(line) {
            Some(Some((text, has_unset))) => Variable::Text { text, has_unset },
            Some(None) => Variable::Unreadable,
            None => Variable::Unset,
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    /// Of the whole text.
    length: usize,
    foreign: Vec<usize>,
    variables: Variables<'a>,
}

impl<'a> Reader<'a> {
    /// Goes on by so many bytes, and gives what it went over.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += line_feeds(taken);
        self.rest = rest;
        taken
    }

    /// The rest of the line, without its line feed, which is gone over too.
    fn take_line(&mut self) -> &'a str {
        let line = self
            .rest
            .find('\n')
            .map_or(self.rest, |end| &self.rest[..end]);
        self.take((line.len() + 1).min(self.rest.len()));
        line
    }

    /// Goes over blank lines and comments. Whether there is more.
    fn skip_to_statement(&mut self) -> bool {
        loop {
            let blank = self.rest.len() - self.rest.trim_start().len();
            self.take(blank);
            if !self.rest.starts_with('#') {
                return !self.rest.is_empty();
            }
            self.take_line();
        }
    }

    /// Reads a statement. A name alone would be taken from the environment, where it is looked
    /// for anyway.
    fn statement(&mut self) -> Option<Statement> {
        let (line, start) = (self.line, self.length - self.rest.len());
        let (name, mut value, within) = match self.name() {
            Some((_, false)) => return None,
            Some((name, true)) => {
                let (value, within) = self.value();
                (name, value, within)
            }
            None => {
                let line = self.take_line();
                let (name, _) = first_word(line);
                (name, Err(Problem::NoAssignment), meant(line))
            }
        };
        if value
            .as_ref()
            .is_ok_and(|value| value.text.len() > MAX_VALUE_BYTES)
        {
            value = Err(Problem::TooLong);
        }
        let range = start..self.length - self.rest.len();
        if value != Err(Problem::NoAssignment) {
            if self.foreign.iter().any(|position| range.contains(position)) {
                value = Err(Problem::NotUtf8);
            }
            let value = value.as_ref().ok().cloned();
            self.variables.lines.insert(name.to_owned(), value);
        }
        Some(Statement {
            line,
            name: name.to_owned(),
            value,
            within,
        })
    }

    /// Reads a name and whether a value follows; stays where it is if there is no name.
    fn name(&mut self) -> Option<(&'a str, bool)> {
        let line = match self.rest.strip_prefix("export") {
            Some(rest) if rest.starts_with(is_blank) => rest.trim_start_matches(is_blank),
            _ => self.rest,
        };
        let is_part = |c: char| c.is_alphanumeric() || is_blank(c) || "_.-[]".contains(c);
        let end = line.find(|c| !is_part(c)).unwrap_or(line.len());
        let name = line[..end].trim_end();
        let has_value = match line[end..].chars().next() {
            Some('=' | ':') => true,
            Some('\n') | None => false,
            Some(_) => return None,
        };
        if name.contains(is_blank) {
            return None;
        }
        let mark = usize::from(end < line.len());
        self.take(self.rest.len() - line.len() + end + mark);
        Some((name, has_value))
    }

    fn value(&mut self) -> (Result<Value, Problem>, Vec<String>) {
        self.take(self.rest.len() - self.rest.trim_start_matches(is_blank).len());
        if let Some(quote @ ('"' | '\'')) = self.rest.chars().next() {
            return self.quoted(quote);
        }
        let line = self.take_line();
        let value = line.split_once(" #").map_or(line, |(value, _)| value);
        (
            template::expand(value.trim_end(), &self.variables),
            Vec::new(),
        )
    }

    /// Reads a value in quotes, which may go over several lines.
    fn quoted(&mut self, quote: char) -> (Result<Value, Problem>, Vec<String>) {
        let Some((text, length)) = quotes::unquote(&self.rest[1..], quote) else {
            self.take_line();
            return (Err(Problem::OpenQuote), Vec::new());
        };
        let raw = self.take(length + 2);
        let mut within: Vec<_> = raw.lines().skip(1).filter_map(assigned).collect();
        let after = self.take_line().trim();
        if !after.is_empty() && !after.starts_with('#') {
            within.push(first_word(after).0.to_owned());
            return (Err(Problem::AfterQuote), within);
        }
        let value = match quote {
            '"' => template::expand(&quotes::unescape(&text), &self.variables),
            _ => Ok(Value {
                text,
                has_unset: false,
            }),
        };
        (value, within)
    }
}

/// A blank that ends no line, as Compose has it.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\x0b' | '\x0c' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

/// The first word of a line, whatever stands before it, and what follows.
fn first_word(line: &str) -> (&str, &str) {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let word = |line: &'_ str| {
        let start = line.find(is_word).unwrap_or(line.len());
        let length = line[start..].find(|c| !is_word(c));
        (start, length.map_or(line.len(), |length| start + length))
    };
    let (start, end) = word(line);
    if &line[start..end] == "export" && line[end..].starts_with(is_blank) {
        let line = &line[end..];
        let (start, end) = word(line);
        return (&line[start..end], &line[end..]);
    }
    (&line[start..end], &line[end..])
}

/// The words after the first that a line which is no assignment may have been meant to set: those
/// before the value, and the one of PowerShell's `$env:NAME`.
fn meant(line: &str) -> Vec<String> {
    let start = line.to_ascii_lowercase().find("env:");
    let (before, start) = match start {
        Some(start) if line[..start].ends_with(['$', '{']) => (&line[..start], start + 4),
        _ => ("", 0),
    };
    let end = line[start..].find(['=', ':']);
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let words = words.filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    let mut names = words(before);
    names.extend(words(
        end.map_or(&line[start..], |end| &line[start..start + end]),
    ));
    names
}

/// The name that a line within a quoted value seems to set.
fn assigned(line: &str) -> Option<String> {
    let (name, rest) = first_word(line);
    let is_set = rest.trim_start_matches(is_blank).starts_with(['=', ':']);
    (is_set && !name.is_empty()).then(|| name.to_owned())
}
