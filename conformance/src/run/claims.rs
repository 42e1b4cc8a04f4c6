//! Claims of isolation reports, and the cases that disprove them.

use cornercast_engine::report::{IsolationReport, Verdict};

/// The beginnings of names of cases, and the isolator that such a case tests. The first one counts.
const TESTED: [(&str, &str); 25] = [
    ("RUN-032/", "cornercast/capabilities"),
    ("RUN-033/", "cornercast/capabilities"),
    ("RUN-044/", "cornercast/process-view"),
    ("RUN-050/", "cornercast/sysinfo"),
    ("RUN-051/", "cornercast/sysinfo"),
    ("RUN-053/", "cornercast/network"),
    ("RUN-064/tree", "cornercast/readonly-rootfs"),
    ("RUN-064/engine-files", "cornercast/readonly-rootfs"),
    ("RUN-064/option", "cornercast/readonly-rootfs"),
    ("RUN-082/abstract-socket", "cornercast/network"),
    ("RUN-082/block-device", "cornercast/devices"),
    ("RUN-082/capabilities", "cornercast/capabilities"),
    ("RUN-082/cpu", "resource/cpu"),
    ("RUN-082/device", "cornercast/devices"),
    ("RUN-082/ipc", "cornercast/ipc"),
    ("RUN-082/memory-enough", ""),
    ("RUN-082/memory", "resource/memory"),
    ("RUN-082/no-new-privileges", "cornercast/no-new-privileges"),
    ("RUN-082/no-sethostname", ""),
    ("RUN-082/no-", "cornercast/syscalls"),
    ("RUN-082/nofile", "resource/nofile"),
    ("RUN-082/pids", "resource/pids"),
    ("RUN-082/required-by-the-image", "cornercast/no-new-privileges"),
    ("RUN-082/set-user-id-works", ""),
    ("RUN-082/set-user-id", "cornercast/no-new-privileges"),
];

/// The isolator that a case tests and that `report` claims to be in force.
pub(super) fn disproved<'a>(case: &str, report: &'a IsolationReport) -> Option<&'a str> {
    let (_, isolator) = TESTED.iter().find(|(beginning, _)| case.starts_with(beginning))?;
    let row = report.isolators.iter().find(|row| row.name == *isolator)?;
    (row.verdict != Verdict::NotEnforced).then_some(row.name.as_str())
}
