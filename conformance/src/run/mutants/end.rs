//! Mutants of the end (RUN-075 to RUN-081, RUN-099).

use cornercast_engine::report::Outcome;

use super::change::{app, mutant, no_namespace, reports, without_and};
use super::{How, Mutant};

pub(super) fn end() -> Vec<Mutant> {
    vec![
        mutant(
            "another-exit-code",
            &["RUN-075"],
            reports(|report, _| {
                report.exit_code = report.exit_code.map(|code| code.wrapping_add(1));
            }),
        ),
        mutant(
            "signal-as-exit-code",
            &["RUN-076"],
            reports(|report, _| {
                if report.outcome == Outcome::Signaled {
                    report.outcome = Outcome::Exited;
                    report.exit_code = Some(139);
                }
            }),
        ),
        mutant(
            "another-signal",
            &["RUN-076", "RUN-079"],
            reports(|report, _| {
                report.signal = report.signal.as_ref().map(|_| "SIGTERM".to_owned());
            }),
        ),
        mutant("others-stay", &["RUN-077"], without_and("RUN-077", |config| no_namespace(config, "pid"))),
        mutant("another-stop-signal", &["RUN-078"], app(|app| app.stop.signal = "SIGCONT".to_owned())),
        mutant("all-get-the-signal", &["RUN-078"], How::Without("RUN-078")),
        mutant("never-kills", &["RUN-079"], app(|app| app.stop.grace_seconds = 3600)),
        mutant("kills-at-once", &["RUN-079"], app(|app| app.stop.grace_seconds = 0)),
        mutant("does-not-say-that-it-killed", &["RUN-080"], reports(|report, _| report.killed = false)),
        mutant("says-that-it-killed", &["RUN-080", "RUN-075", "RUN-078"], reports(|report, _| report.killed = true)),
        mutant("leaves-everything", &["RUN-099"], How::Without("RUN-099")),
        mutant("leaves-leftovers", &["RUN-081"], How::Without("RUN-081")),
    ]
}
