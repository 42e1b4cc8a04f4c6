//! The results by clause, case and implementation.

use std::collections::BTreeMap;

use crate::report::{Report, Row};
use crate::suite;

/// All results of a report.
pub(super) struct Sheet<'a> {
    /// The names of the implementations, in the order of the report.
    pub(super) columns: Vec<&'a str>,
    /// The cases, in the order of the specification.
    pub(super) cases: Vec<CaseRow<'a>>,
    /// The clauses that have a case, in the order of the specification.
    pub(super) clauses: Vec<ClauseRow<'a>>,
}

/// A case.
pub(super) struct CaseRow<'a> {
    pub(super) name: &'a str,
    /// A result for each column, if the case was put to it.
    pub(super) results: Vec<Option<&'a Row>>,
}

/// A clause, or what stands in its place where a case has none.
pub(super) struct ClauseRow<'a> {
    pub(super) id: &'a str,
    /// The prefix of the chapter.
    pub(super) chapter: &'a str,
    /// The places of its cases in the sheet.
    pub(super) cases: Vec<usize>,
}

impl<'a> Sheet<'a> {
    pub(super) fn of(report: &'a Report) -> Self {
        let columns: Vec<&str> = report.header.implementations.iter().map(|known| known.name.as_str()).collect();
        let mut by_case: BTreeMap<(usize, &str), Vec<Option<&Row>>> = BTreeMap::new();
        for row in &report.rows {
            let name = row.line.case.as_str();
            let results =
                by_case.entry((suite::place(folder(name)), name)).or_insert_with(|| vec![None; columns.len()]);
            let column = columns.iter().position(|column| *column == row.line.implementation);
            if let Some(result) = column.and_then(|column| results.get_mut(column)) {
                *result = Some(row);
            }
        }
        let cases: Vec<CaseRow<'_>> =
            by_case.into_iter().map(|((_, name), results)| CaseRow { name, results }).collect();
        let mut clauses: BTreeMap<(usize, &str), Vec<usize>> = BTreeMap::new();
        for (index, case) in cases.iter().enumerate() {
            for id in case.clauses() {
                clauses.entry((suite::place(id), id)).or_default().push(index);
            }
        }
        let row = |((_, id), cases): ((usize, &'a str), Vec<usize>)| ClauseRow {
            id,
            chapter: id.split('-').next().unwrap_or(id),
            cases,
        };
        let clauses = clauses.into_iter().map(row).collect();
        Self { columns, cases, clauses }
    }

    /// The results of some cases in a column.
    pub(super) fn results(&self, cases: &[usize], column: usize) -> Vec<&'a Row> {
        let cases = cases.iter().filter_map(|index| self.cases.get(*index));
        cases.filter_map(|case| case.results.get(column).copied().flatten()).collect()
    }
}

impl<'a> CaseRow<'a> {
    /// One of the results.
    pub(super) fn any(&self) -> Option<&'a Row> {
        self.results.iter().flatten().next().copied()
    }

    /// The clauses that the case tests; its folder, if it tests none.
    fn clauses(&self) -> Vec<&'a str> {
        let mut clauses: Vec<&str> = Vec::new();
        for id in self.results.iter().flatten().flat_map(|row| &row.line.clauses) {
            if !clauses.contains(&id.as_str()) {
                clauses.push(id);
            }
        }
        if clauses.is_empty() { vec![folder(self.name)] } else { clauses }
    }
}

fn folder(case: &str) -> &str {
    case.split('/').next().unwrap_or(case)
}
