//! What is another one since an earlier run, for the page.

use cornercast::shown::escaped;
use serde::Serialize;

use crate::report::Row;
use crate::report::difference::{Changes, Difference};

/// Cases that are listed of one kind of change; the cells and `report diff` have all.
const MAX_LISTED: usize = 200;

/// All changes.
#[derive(Serialize)]
pub(super) struct Since {
    /// The kinds of change that there are, the worse first.
    kinds: Vec<Kind>,
}

#[derive(Serialize)]
struct Kind {
    name: &'static str,
    mark: &'static str,
    title: &'static str,
    count: usize,
    items: Vec<Item>,
    /// How many are not listed.
    more: usize,
}

#[derive(Serialize)]
struct Item {
    implementation: String,
    case: String,
    /// Where the row of its clause is, if there is one.
    anchor: Option<String>,
    old: Option<&'static str>,
    new: Option<&'static str>,
}

/// A kind of change: its name, its mark, what it is about.
pub(super) type Named = (&'static str, &'static str);

pub(super) const WORSE: Named = ("worse", "▼");
pub(super) const BETTER: Named = ("better", "▲");
pub(super) const NEW: Named = ("new", "+");
pub(super) const GONE: Named = ("gone", "−");

/// The changes, by kind; `anchor` tells where the row of a case is.
pub(super) fn since(difference: &Difference, anchor: impl Fn(&str) -> Option<String>) -> Since {
    let mut kinds = Vec::new();
    for ((name, mark), title) in [
        (WORSE, "Worse than before"),
        (BETTER, "Better than before"),
        (NEW, "Not there before"),
        (GONE, "Not there any more"),
    ] {
        let mut items = Vec::new();
        for (implementation, changes) in &difference.implementations {
            for (case, old, new) in verdicts(changes, name) {
                let (implementation, shown) = (escaped(implementation), escaped(case));
                items.push(Item { implementation, case: shown, anchor: anchor(case), old, new });
            }
        }
        let count = items.len();
        items.truncate(MAX_LISTED);
        if count > 0 {
            kinds.push(Kind { name, mark, title, count, more: count - items.len(), items });
        }
    }
    Since { kinds }
}

type Verdicts<'a> = (&'a str, Option<&'static str>, Option<&'static str>);

fn verdicts<'a>(changes: &'a Changes, kind: &str) -> Vec<Verdicts<'a>> {
    let changed = |cases: &'a std::collections::BTreeMap<String, crate::report::difference::Change>| {
        cases.iter().map(|(case, change)| (case.as_str(), Some(change.old.name()), Some(change.new.name()))).collect()
    };
    match kind {
        "worse" => changed(&changes.worse),
        "better" => changed(&changes.better),
        "new" => changes.new.iter().map(|(case, new)| (case.as_str(), None, Some(new.name()))).collect(),
        _ => changes.gone.iter().map(|(case, old)| (case.as_str(), Some(old.name()), None)).collect(),
    }
}

/// The worst change among some results.
pub(super) fn worst(difference: &Difference, rows: &[&Row]) -> Option<Named> {
    let has = |is: fn(&Changes, &str) -> bool| {
        rows.iter().any(|row| {
            let changes = difference.implementations.get(&row.line.implementation);
            changes.is_some_and(|changes| is(changes, &row.line.case))
        })
    };
    if has(|changes, case| changes.worse.contains_key(case)) {
        Some(WORSE)
    } else if has(|changes, case| changes.better.contains_key(case)) {
        Some(BETTER)
    } else if has(|changes, case| changes.new.contains_key(case)) {
        Some(NEW)
    } else {
        None
    }
}
