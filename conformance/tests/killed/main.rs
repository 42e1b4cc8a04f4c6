//! Nothing outlives a suite or an engine that is killed, however; and how an engine is stopped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bench;
mod engine;
#[path = "../peers/mod.rs"]
mod peers;
mod suite;

use std::path::Path;
use std::process::ExitCode;

use cornercast_engine::cli::BackendName;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// A test, which gets the probe.
type Test = (&'static str, fn(&Path));

/// The same of a backend.
type OfBackend = (&'static str, fn(&Path, BackendName));

/// The tests of what each backend has to end or remove.
const OF_BACKENDS: &[OfBackend] = &[
    ("a_suite_that_is_killed", suite::suite_is_killed),
    ("an_engine_that_is_killed", engine::engine_is_killed),
    ("an_engine_that_is_killed_while_it_starts_an_application", engine::engine_is_killed_early),
    ("an_engine_whose_parent_is_killed", engine::parent_is_killed),
    ("an_engine_that_is_stopped", engine::engine_is_stopped),
    ("an_engine_that_is_stopped_before_the_application_begins", engine::engine_is_stopped_early),
];

/// The tests of backends that call a program.
const OF_PROGRAMS: &[OfBackend] = &[
    ("a_program_that_is_killed_before_it_makes_anything", engine::program_is_killed),
    ("what_a_program_has_made_that_does_not_end_with_it", engine::child_is_left),
];

/// Those that make a container in a way of their own.
const BACKENDS: [BackendName; 3] = [BackendName::Runsc, BackendName::Lxc, BackendName::Bubblewrap];

/// Those that call a program; crun and youki are called as runc is.
const CALLING: [BackendName; 4] = [BackendName::Runc, BackendName::Runsc, BackendName::Lxc, BackendName::Bubblewrap];

const TESTS: &[Test] = &[
    ("a_suite_that_is_killed_at_any_time", suite::suite_is_killed_at_any_time),
    ("a_suite_that_is_killed_with_its_guard_and_engines", suite::all_are_killed),
    ("the_next_run_removes_what_is_left", suite::next_run_cleans),
    ("folders_without_a_lock", suite::folders_without_a_lock),
    ("a_suite_that_is_interrupted", suite::suite_is_interrupted),
    ("an_adapter_of_a_suite_that_is_killed", suite::adapter_is_ended),
    ("two_suites_do_not_disturb_each_other", suite::two_suites),
    ("mutants_that_are_killed", suite::mutants_are_killed),
    ("an_engine_whose_terminal_goes", engine::terminal_goes),
    ("an_engine_that_is_stopped_twice", engine::engine_is_stopped_twice),
    ("output_that_nobody_reads", engine::output_is_closed),
    ("volumes_stay_where_the_state_directory_is_a_link", engine::state_is_a_link),
    ("two_state_directories_have_an_instance_of_the_same_id", engine::same_id),
    ("what_is_left_of_an_engine_without_a_name_is_not_the_instance_of_that_name", engine::same_id_without_a_name),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let default = BackendName::default();
    let common = TESTS.iter().map(|(name, test)| Trial::ignorable_test(*name, move || run(default, test)));
    // Applications of gVisor are no processes of this host, so it is not seen when those of a suite run.
    let is_seen = |(name, _): &OfBackend, backend| backend != BackendName::Runsc || !name.starts_with("a_suite");
    let pairs = |tests: &'static [OfBackend], backend: BackendName| tests.iter().map(move |test| (*test, backend));
    let all = [default].into_iter().chain(BACKENDS).flat_map(|backend| pairs(OF_BACKENDS, backend));
    let all = all.filter(|(test, backend)| is_seen(test, *backend));
    let each = all.chain(CALLING.into_iter().flat_map(|backend| pairs(OF_PROGRAMS, backend)));
    let each = each.map(|((name, test), backend)| {
        let name = format!("{name}_with_{}", backend.name());
        Trial::ignorable_test(name, move || run(backend, |probe| test(probe, backend)))
    });
    libtest_mimic::run(&arguments, common.chain(each).collect()).exit_code()
}

fn run(backend: BackendName, test: impl Fn(&Path)) -> Result<Completion, Failed> {
    match peers::probe_for(backend) {
        Ok(probe) => test(probe),
        Err(ignored) => return Ok(ignored),
    }
    Ok(Completion::Completed)
}
