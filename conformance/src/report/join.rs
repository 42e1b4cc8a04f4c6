//! One report of several runs: each has implementations of its own, and all have one version of the suite.
//!
//! A case that was put to some of them only has no result of the others, which is no verdict.

use std::collections::BTreeMap;

use cornercast::shown::escaped;

use super::{Report, has_room};

/// Joins reports, each with the name of its file. The result is the worst.
///
/// # Errors
///
/// Two reports that do not belong together, in words; or none at all.
pub fn join(reports: Vec<(String, Report)>) -> Result<Report, String> {
    let mut reports = reports.into_iter();
    let Some((first, mut whole)) = reports.next() else { return Err("there is no file".to_owned()) };
    let mut known: BTreeMap<String, String> = names(&whole).map(|name| (name, first.clone())).collect();
    for (file, report) in reports {
        are_of_one_suite((&first, &whole), (&file, &report))?;
        for name in names(&report) {
            if let Some(other) = known.insert(name.clone(), file.clone()) {
                let name = escaped(&name);
                return Err(format!("`{name}` is in {other} and in {file}: an implementation has one column"));
            }
        }
        let Report { header, hosts, rows, footer } = report;
        for (host, names) in hosts {
            match whole.hosts.iter_mut().find(|(known, _)| *known == host) {
                Some((_, known)) => known.extend(names),
                None => whole.hosts.push((host, names)),
            }
        }
        whole.header.implementations.extend(header.implementations);
        whole.header.results += header.results;
        whole.rows.extend(rows);
        whole.footer.counts.extend(footer.counts);
        whole.footer.stale.extend(footer.stale);
        whole.footer.result = whole.footer.result.max(footer.result);
    }
    has_room(whole.header.implementations.len())?;
    Ok(whole)
}

fn names(report: &Report) -> impl Iterator<Item = String> + '_ {
    report.header.implementations.iter().map(|implementation| implementation.name.clone())
}

fn are_of_one_suite((first, one): (&str, &Report), (second, other): (&str, &Report)) -> Result<(), String> {
    let (one, other) = (&one.header, &other.header);
    let protocols = (one.protocol.to_string(), other.protocol.to_string());
    let facts = [
        ("the format", &one.format, &other.format),
        ("the suite", &one.suite, &other.suite),
        ("the version of the suite", &one.version, &other.version),
        ("the adapter protocol", &protocols.0, &protocols.1),
    ];
    match facts.into_iter().find(|(_, one, other)| one != other) {
        None => Ok(()),
        Some((what, one, other)) => {
            let (one, other) = (escaped(one), escaped(other));
            Err(format!("{what} is {one} in {first} and {other} in {second}: these runs cannot be joined"))
        }
    }
}
