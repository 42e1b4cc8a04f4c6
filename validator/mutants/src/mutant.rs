//! A mutant, as `cargo mutants --list --json` describes it, and what became of it.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;

#[derive(Deserialize)]
pub struct Mutant {
    /// File, line, column and what is changed.
    pub name: String,
    pub file: String,
    pub genre: Genre,
    /// What stands in the place of `span`.
    pub replacement: String,
    pub span: Span,
    pub function: Option<Function>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Genre {
    FnValue,
    BinaryOperator,
    UnaryOperator,
    MatchArm,
    MatchArmGuard,
    StructField,
}

#[derive(Deserialize)]
pub struct Function {
    pub return_type: String,
}

/// Lines and columns, in characters, both from 1; without its end.
#[derive(Deserialize)]
pub struct Span {
    start: Position,
    end: Position,
}

#[derive(Deserialize)]
struct Position {
    line: usize,
    column: usize,
}

impl Mutant {
    /// The bytes of `text` that it replaces.
    pub fn range(&self, text: &str) -> Range<usize> {
        self.span.start.offset(text)..self.span.end.offset(text)
    }

    /// `text` with the mutant in it.
    pub fn applied(&self, text: &str) -> String {
        let range = self.range(text);
        [&text[..range.start], &self.replacement, &text[range.end..]].concat()
    }
}

impl Position {
    fn offset(&self, text: &str) -> usize {
        let line: usize = text.split_inclusive('\n').take(self.line - 1).map(str::len).sum();
        let column: usize = text[line..].chars().take(self.column - 1).map(char::len_utf8).sum();
        line + column
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A test failed.
    Noticed,
    /// The tests ran on for so long that they were ended.
    Late,
    /// All tests passed.
    Missed,
    /// It does not compile.
    Unviable,
    /// It cannot be switched on and off.
    Alone,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Noticed => "noticed",
            Self::Late => "late",
            Self::Missed => "missed",
            Self::Unviable => "unviable",
            Self::Alone => "alone",
        })
    }
}
