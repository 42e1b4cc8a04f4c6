//! Mutants of failing and of reports (RUN-001, RUN-090 to RUN-098), and one that any case can notice.

use cornercast_engine::refusal::Reason;
use cornercast_engine::report::{Outcome, Row, Verdict};
use serde_json::json;

use super::Mutant;
use super::change::{app, mutant, reports};

pub(super) fn failing() -> Vec<Mutant> {
    vec![
        mutant(
            "scripts-are-refused",
            &["RUN-091", "RUN-090", "RUN-093"],
            reports(|report, _| {
                if report.outcome == Outcome::Exited {
                    report.outcome = Outcome::Failed;
                    report.reasons.push(Reason::new("RUN-091", "a script"));
                }
            }),
        ),
        mutant(
            "failure-as-exit-code",
            &["RUN-090", "RUN-091", "RUN-092", "RUN-093"],
            reports(|report, _| {
                if report.outcome == Outcome::Failed {
                    report.outcome = Outcome::Exited;
                    report.exit_code = Some(127);
                }
            }),
        ),
        mutant(
            "accepts-what-is-broken",
            &["RUN-001"],
            reports(|report, _| {
                if report.outcome == Outcome::Refused {
                    report.outcome = Outcome::Exited;
                    report.exit_code = Some(0);
                }
            }),
        ),
        mutant("report-of-another-kind", &["RUN-094"], reports(|report, _| report.kind = "report".to_owned())),
        mutant(
            "another-image-in-the-report",
            &["RUN-096"],
            reports(|report, _| {
                report.image = Some(format!("sha256:{}", "0".repeat(64)));
            }),
        ),
        mutant(
            "arguments-of-the-image-in-the-report",
            &["RUN-096"],
            reports(|report, _| {
                report.arguments = Some(vec!["/usr/lib/cornercast/probe".to_owned()]);
            }),
        ),
        mutant(
            "exit-code-of-nothing",
            &["RUN-094"],
            reports(|report, _| {
                if report.outcome != Outcome::Exited {
                    report.exit_code = Some(126);
                }
            }),
        ),
        mutant(
            "arguments-of-nothing",
            &["RUN-096"],
            reports(|report, _| {
                if matches!(report.outcome, Outcome::Refused | Outcome::Failed) {
                    report.arguments = Some(vec!["/usr/lib/cornercast/probe".to_owned()]);
                }
            }),
        ),
        mutant("no-reasons", &["RUN-097"], reports(|report, _| report.reasons.clear())),
        mutant("first-reason-only", &["RUN-097"], reports(|report, _| report.reasons.truncate(1))),
        mutant(
            "isolation-report-of-another-kind",
            &["RUN-098"],
            reports(|_, report| report.kind = "report".to_owned()),
        ),
        mutant(
            "isolators-of-nothing",
            &["RUN-098"],
            reports(|_, report| {
                report.isolators.push(Row {
                    name: "cornercast/ipc".to_owned(),
                    asked: json!("own"),
                    required: true,
                    verdict: Verdict::Enforced,
                    mechanism: "a claim".to_owned(),
                });
            }),
        ),
        mutant(
            "refuses-volumes",
            &["RUN-005", "RUN-074"],
            app(|app| {
                if app.working_directory == "/srv/cache" || app.exec.iter().any(|word| word.contains("/srv/data")) {
                    app.working_directory = "/missing".to_owned();
                }
            }),
        ),
        mutant(
            "refuses-everything",
            &[],
            reports(|report, _| {
                if matches!(report.outcome, Outcome::Exited | Outcome::Signaled) {
                    report.outcome = Outcome::Refused;
                    report.exit_code = None;
                    report.signal = None;
                    report.reasons.push(Reason::new("RUN-001", "an image"));
                }
            }),
        ),
    ]
}
