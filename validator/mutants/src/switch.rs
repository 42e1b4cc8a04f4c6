//! A source file with its mutants in it, each behind a switch.
//!
//! `a < b` becomes `(if on(7) { a <= b } else { a < b })`; a function that returns another value does so before
//! anything else; an arm that is taken out has a guard that is false.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::mutant::{Genre, Mutant, Outcome};
use crate::sites::{Arm, Sites};

/// The switches: mutant N is on if the variable MUTANT is N.
const MODULE: &str = r#"
#[doc(hidden)]
#[allow(missing_docs)]
pub mod switched {
    pub fn on(mutant: usize) -> bool {
        static ACTIVE: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
        *ACTIVE.get_or_init(|| std::env::var("MUTANT").map_or(usize::MAX, |number| number.parse().unwrap())) == mutant
    }
}
"#;

/// Mutants are full of what the compiler warns of, or refuses because it would panic.
const LENIENT: &str = "#![allow(warnings, arithmetic_overflow, unconditional_panic)]\n";

/// The root of the library with the switches in it.
pub fn with_module(root: &str) -> String {
    [LENIENT, root, MODULE].concat()
}

/// The text of a file, and where the mutants are in it.
pub struct Switched {
    pub text: String,
    /// The mutants that are not in it.
    pub left_out: Vec<(usize, Outcome)>,
    /// What stands there if a mutant is on.
    pub changes: Vec<(Range<usize>, usize)>,
    /// Expressions, each with all mutants that change it.
    pub expressions: Vec<(Range<usize>, Vec<usize>)>,
}

/// Puts `mutants`, with their numbers, into `text`.
pub fn switched<'a>(text: &str, mutants: impl Iterator<Item = (usize, &'a Mutant)>) -> syn::Result<Switched> {
    let sites = Sites::of(text)?;
    let mut changes = Changes::default();
    let mut left_out = Vec::new();
    for (number, mutant) in mutants {
        if let Err(outcome) = changes.add(text, &sites, number, mutant) {
            left_out.push((number, outcome));
        }
    }
    let mut switched = Switched { text: String::new(), left_out, changes: Vec::new(), expressions: Vec::new() };
    switched.write(text, changes.insertions(&sites));
    Ok(switched)
}

/// The changes of a file, by what they change.
#[derive(Default)]
struct Changes {
    /// Mutants of an expression, and what it becomes.
    expressions: BTreeMap<(usize, usize), Vec<(usize, String)>>,
    /// Mutants that return from a function at its start, and the value.
    returns: BTreeMap<usize, Vec<(usize, String)>>,
    /// Mutants that take out an arm, or make its guard true or false.
    arms: BTreeMap<usize, Vec<(usize, Option<bool>)>>,
}

impl Changes {
    /// An error is what becomes of one that cannot be switched.
    fn add(&mut self, text: &str, sites: &Sites, number: usize, mutant: &Mutant) -> Result<(), Outcome> {
        let range = mutant.range(text);
        if sites.is_constant(range.start) {
            return Err(Outcome::Alone);
        }
        match mutant.genre {
            // What it returns is another type then.
            Genre::FnValue
                if mutant.function.as_ref().is_none_or(|function| function.return_type.contains("impl ")) =>
            {
                return Err(Outcome::Alone);
            }
            Genre::FnValue => {
                self.returns.entry(range.start).or_default().push((number, mutant.replacement.clone()));
            }
            Genre::BinaryOperator | Genre::UnaryOperator => {
                let operator = sites.operators.get(&range.start).ok_or(Outcome::Alone)?;
                // There is no `||` beside `let`.
                if operator.joins_let {
                    return Err(Outcome::Unviable);
                }
                self.change(text, &operator.expression, &operator.token, number, &mutant.replacement);
            }
            Genre::StructField => {
                let around = sites.structs.iter().filter(|whole| whole.start < range.start && range.end < whole.end);
                let whole = around.min_by_key(|whole| whole.len()).ok_or(Outcome::Alone)?;
                self.change(text, whole, &range, number, &mutant.replacement);
            }
            Genre::MatchArm => {
                sites.arms.get(&range.start).filter(|arm| !arm.guard_has_let).ok_or(Outcome::Alone)?;
                self.arms.entry(range.start).or_default().push((number, None));
            }
            Genre::MatchArmGuard => {
                let start = *sites.guards.get(&range.start).ok_or(Outcome::Alone)?;
                sites.arms.get(&start).filter(|arm| !arm.guard_has_let).ok_or(Outcome::Alone)?;
                self.arms.entry(start).or_default().push((number, Some(mutant.replacement == "true")));
            }
        }
        Ok(())
    }

    /// In the expression `whole`, `part` becomes `replacement`.
    fn change(&mut self, text: &str, whole: &Range<usize>, part: &Range<usize>, number: usize, replacement: &str) {
        let changed = [&text[whole.start..part.start], replacement, &text[part.end..whole.end]].concat();
        self.expressions.entry((whole.start, whole.end)).or_default().push((number, changed));
    }

    /// What is put into the text, in order.
    fn insertions(self, sites: &Sites) -> Vec<Insertion> {
        let mut insertions = Vec::new();
        for ((start, end), changes) in self.expressions {
            let mut before = vec![Part::text("(")];
            let numbers = changes.iter().map(|(number, _)| *number).collect();
            for (number, changed) in changes {
                before.push(Part::text(&format!("if crate::switched::on({number}) {{ ")));
                before.push(Part { text: changed, mutant: Some(number) });
                before.push(Part::text(" } else "));
            }
            before.push(Part::text("{ "));
            insertions.push(Insertion { at: start, rank: Rank::Opens(Reverse(end), 1), parts: before, numbers });
            insertions.push(Insertion::closing(end, start, 0, " })"));
        }
        for (at, changes) in self.returns {
            let mut parts = Vec::new();
            for (number, value) in changes {
                parts.push(Part::text(&format!("if crate::switched::on({number}) {{ return ")));
                parts.push(Part { text: value, mutant: Some(number) });
                parts.push(Part::text("; } "));
            }
            insertions.push(Insertion { at, rank: Rank::Returns, parts, numbers: Vec::new() });
        }
        // With too many guards, a match does not cover everything, which the compiler says of all of it.
        for whole in &sites.matches {
            let arms = self.arms.range(whole.clone()).flat_map(|(_, changes)| changes);
            let taken_out = arms.filter(|(_, becomes)| becomes.is_none());
            let numbers: Vec<usize> = taken_out.map(|(number, _)| *number).collect();
            let rank = Rank::Opens(Reverse(whole.end), 0);
            insertions.push(Insertion { at: whole.start, rank, parts: Vec::new(), numbers });
            insertions.push(Insertion::closing(whole.end, whole.start, 1, ""));
        }
        for (start, changes) in self.arms {
            if let Some(arm) = sites.arms.get(&start) {
                guard(arm, &changes, &mut insertions);
            }
        }
        insertions.sort_by(|a, b| (a.at, &a.rank).cmp(&(b.at, &b.rank)));
        insertions
    }
}

/// The guard of an arm: false if it is taken out, or what it is made.
fn guard(arm: &Arm, changes: &[(usize, Option<bool>)], insertions: &mut Vec<Insertion>) {
    let mut condition = String::new();
    for (number, _) in changes.iter().filter(|(_, becomes)| *becomes != Some(true)) {
        condition.push_str(&format!("!crate::switched::on({number}) && "));
    }
    let Some(range) = &arm.guard else {
        let parts = vec![Part::text(&format!(" if {condition}true"))];
        let rank = Rank::Closes(Reverse(arm.end_of_pattern), 0);
        insertions.push(Insertion { at: arm.end_of_pattern, rank, parts, numbers: Vec::new() });
        return;
    };
    condition.push('(');
    for (number, _) in changes.iter().filter(|(_, becomes)| *becomes == Some(true)) {
        condition.push_str(&format!("crate::switched::on({number}) || "));
    }
    condition.push('(');
    let numbers = changes.iter().map(|(number, _)| *number).collect();
    let rank = Rank::Opens(Reverse(range.end), 0);
    insertions.push(Insertion { at: range.start, rank, parts: vec![Part::text(&condition)], numbers });
    insertions.push(Insertion::closing(range.end, range.start, 1, "))"));
}

/// Text that is put in at an offset. What opens an expression has the mutants of it.
struct Insertion {
    at: usize,
    rank: Rank,
    parts: Vec<Part>,
    numbers: Vec<usize>,
}

/// What comes first at the same offset: expressions close from inside to outside, and open from outside to inside.
/// A guard is outside of the expression that it has been.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Closes(Reverse<usize>, u8),
    Returns,
    Opens(Reverse<usize>, u8),
}

/// A piece of text; with a mutant, what stands there if it is on.
struct Part {
    text: String,
    mutant: Option<usize>,
}

impl Part {
    fn text(text: &str) -> Self {
        Self { text: text.to_owned(), mutant: None }
    }
}

impl Insertion {
    fn closing(at: usize, opened: usize, depth: u8, text: &str) -> Self {
        Self { at, rank: Rank::Closes(Reverse(opened), depth), parts: vec![Part::text(text)], numbers: Vec::new() }
    }
}

impl Switched {
    fn write(&mut self, original: &str, insertions: Vec<Insertion>) {
        let mut done = 0;
        let mut open: Vec<(usize, Vec<usize>)> = Vec::new();
        for insertion in insertions {
            self.text.push_str(&original[done..insertion.at]);
            done = insertion.at;
            if let Rank::Opens(..) = insertion.rank {
                open.push((self.text.len(), insertion.numbers));
            }
            for part in insertion.parts {
                let start = self.text.len();
                self.text.push_str(&part.text);
                self.changes.extend(part.mutant.map(|number| (start..self.text.len(), number)));
            }
            if let Rank::Closes(opened, _) = insertion.rank
                && opened.0 != insertion.at
                && let Some((start, numbers)) = open.pop()
            {
                self.expressions.push((start..self.text.len(), numbers));
            }
        }
        self.text.push_str(&original[done..]);
    }
}
