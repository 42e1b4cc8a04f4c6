//! How an application ends, or never begins, and what is left of it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

use rustix::process::{Signal, WaitOptions};
use serde_json::{Value, json};

use super::Test;
use super::instance::{Ended, Instance, null_streams, pipes, wait};

pub(crate) const TESTS: &[Test] = &[
    ("a_program_that_is_not_there", not_there),
    ("a_program_that_is_none", no_program),
    ("a_program_that_must_not_be_executed", not_executable),
    ("a_program_without_its_loader", no_loader),
    ("the_program_that_makes_containers", own_program),
    ("two_at_once", two_at_once),
    ("made_twice", made_twice),
    ("many_at_once", many_at_once),
    ("deleted_before_it_starts", deleted_before_start),
    ("a_container_that_cannot_be_made", cannot_be_made),
    ("by_a_code", by_code),
    ("by_a_signal", by_signal),
    ("streams_are_exact", exact_streams),
    ("streams_end_with_the_application", streams_end),
    ("streams_that_are_pipes_can_be_opened", open_pipes),
    ("streams_that_are_pipes_can_be_opened_by_mapped_users", open_pipes_of_mapped),
    ("a_stream_that_is_the_null_device", null_device),
];

/// Runs what is not executed, and sees that nothing was said.
fn never_starts(instance: &Instance) {
    assert_eq!(instance.run(), Ended::NotStarted);
    assert_eq!((instance.said("stdout").as_str(), instance.said("stderr").as_str()), ("", ""));
}

fn not_there(probe: &Path) {
    let instance = Instance::of(probe, &[]);
    fs::remove_file(instance.rootfs().join("bin/probe")).unwrap();
    never_starts(&instance);
}

/// A shell would run it.
fn no_program(probe: &Path) {
    let instance = Instance::of(probe, &[]);
    fs::write(instance.rootfs().join("bin/probe"), "echo something\n").unwrap();
    never_starts(&instance);
}

fn not_executable(probe: &Path) {
    let instance = Instance::of(probe, &[]).with_user(1000);
    fs::set_permissions(instance.rootfs().join("bin/probe"), fs::Permissions::from_mode(0o700)).unwrap();
    never_starts(&instance);
}

fn no_loader(probe: &Path) {
    let instance = Instance::of(probe, &[]);
    fs::write(instance.rootfs().join("bin/probe"), "#!/bin/nothing\n").unwrap();
    never_starts(&instance);
}

/// An image can have it executed, and can then not write to it.
fn own_program(probe: &Path) {
    let instance = Instance::of(probe, &[]);
    let pid = instance.create().unwrap();
    let program = format!("/proc/{}/exe", pid.as_raw_nonzero());
    let named = fs::read_link(&program).unwrap();
    assert!(named.to_string_lossy().starts_with("/memfd:"), "{}", named.display());
    let error = File::options().write(true).open(&program).and_then(|mut file| file.write_all(b"x")).unwrap_err();
    assert!(["ExecutableFileBusy", "PermissionDenied"].contains(&format!("{:?}", error.kind()).as_str()), "{error}");
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    assert_eq!(wait(pid), Ended::NotStarted);
    instance.delete();
}

fn two_at_once(probe: &Path) {
    let instances = [Instance::of(probe, &["first"]), Instance::of(probe, &["second"])];
    let run = |instance: &Instance| instance.look()["arguments"][1].clone();
    let seen = thread::scope(|scope| {
        let threads: Vec<_> = instances.iter().map(|instance| scope.spawn(|| run(instance))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(seen, ["first", "second"]);
}

/// The first one does not suffer.
fn made_twice(probe: &Path) {
    let instance = Instance::acting(probe, &["exit:3"]);
    let pid = instance.create().unwrap();
    let refused = instance.create_with(null_streams()).unwrap_err();
    assert_eq!(refused, format!("the container {} has been made already", instance.id));
    instance.start();
    assert_eq!(wait(pid), Ended::Exit(3));
    instance.delete();
}

/// They share the directory above their control groups.
fn many_at_once(probe: &Path) {
    // All programs are written before any is started.
    let instances: Vec<_> = (0..40).map(|code| (code, Instance::acting(probe, &[&format!("exit:{code}")]))).collect();
    thread::scope(|scope| {
        for share in instances.chunks(5) {
            scope.spawn(|| share.iter().for_each(|(code, instance)| assert_eq!(instance.run(), Ended::Exit(*code))));
        }
    });
}

fn deleted_before_start(probe: &Path) {
    let instance = Instance::of(probe, &[]);
    let pid = instance.create().unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    assert_eq!(wait(pid), Ended::NotStarted);
    instance.delete();
    // It may be deleted again, or never have been made.
    instance.delete();
    Instance::of(probe, &[]).delete();
}

/// No process is left to this one that it does not know of.
fn cannot_be_made(probe: &Path) {
    let mut instance = Instance::of(probe, &[]);
    instance.config["mounts"][0]["type"] = "nothing".into();
    let refused = instance.create().unwrap_err();
    assert!(refused.contains("failed to mount") && refused.contains("/proc"), "{refused}");
    instance.delete();
    let child = rustix::process::wait(WaitOptions::NOHANG);
    assert_eq!(child.unwrap_err(), rustix::io::Errno::CHILD);
}

fn streams_end(probe: &Path) {
    let instance = Instance::of(probe, &[]).with_user(1000);
    let (streams, [mut stdin, mut stdout, mut stderr]) = pipes();
    let pid = instance.create_with(streams).unwrap();
    instance.start();
    let mut said = [String::new(), String::new()];
    stdout.read_to_string(&mut said[0]).unwrap();
    stderr.read_to_string(&mut said[1]).unwrap();
    assert_eq!(wait(pid), Ended::Exit(0));
    assert!(said[0].starts_with('{') && said[1].is_empty(), "{said:?}");
    // Nobody else holds the other end.
    assert_eq!(stdin.write(b"x").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    instance.delete();
}

fn open_pipes(probe: &Path) {
    let instance = Instance::acting(probe, &["reopen:stdout:out", "reopen:stderr:err"]).with_user(1000);
    let (streams, [_, mut stdout, mut stderr]) = pipes();
    let pid = instance.create_with(streams).unwrap();
    instance.start();
    let mut said = [String::new(), String::new()];
    stdout.read_to_string(&mut said[0]).unwrap();
    stderr.read_to_string(&mut said[1]).unwrap();
    assert_eq!(wait(pid), Ended::Exit(0));
    assert!(said[0].starts_with("out") && said[1] == "err", "{said:?}");
    instance.delete();
}

/// Also by a user that is another one outside.
fn open_pipes_of_mapped(probe: &Path) {
    let mut instance = Instance::acting(probe, &["reopen:stdout:out", "look:uid,uidMap,seccomp"]).with_user(1000);
    let linux = &mut instance.config["linux"];
    linux["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
    for ids in ["uidMappings", "gidMappings"] {
        linux[ids] = json!([{"containerID": 0, "hostID": 100_000, "size": 65_536}]);
    }
    let (streams, [_, mut stdout, _]) = pipes();
    let pid = instance.create_with(streams).unwrap();
    instance.start();
    let mut said = String::new();
    stdout.read_to_string(&mut said).unwrap();
    assert_eq!(wait(pid), Ended::Exit(0));
    let seen: Value = serde_json::from_str(said.strip_prefix("out").unwrap()).unwrap();
    assert_eq!((&seen["uid"], &seen["seccomp"]), (&json!(1000), &json!(2)));
    assert!(seen["uidMap"][0].as_str().unwrap().contains("100000"), "{seen}");
    instance.delete();
}

/// It is that of the container, and can still be written to.
fn null_device(probe: &Path) {
    let instance = Instance::acting(probe, &["look:descriptors", "exit:3"]).with_user(1000);
    let pid = instance.create_with(null_streams()).unwrap();
    for fd in 0..3 {
        let flags = fs::read_to_string(format!("/proc/{}/fdinfo/{fd}", pid.as_raw_nonzero())).unwrap();
        let flags = flags.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        // Both for reading and for writing.
        assert!(flags.ends_with('2'), "{fd}: {flags}");
    }
    instance.start();
    assert_eq!(wait(pid), Ended::Exit(3));
    instance.delete();
}

fn by_code(probe: &Path) {
    for code in [0, 1, 101, 127, 255] {
        assert_eq!(Instance::acting(probe, &[&format!("exit:{code}")]).run(), Ended::Exit(code));
    }
}

fn by_signal(probe: &Path) {
    // One that it sends itself does nothing to the first process of a namespace.
    assert_eq!(Instance::acting(probe, &["signal:SIGTERM", "exit:5"]).run(), Ended::Exit(5));
    assert_eq!(Instance::acting(probe, &["fault"]).run(), Ended::Signal(11));
    let instance = Instance::acting(probe, &["wait"]);
    let pid = instance.create().unwrap();
    instance.start();
    while fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero())).unwrap() != "act\n" {
        thread::yield_now();
    }
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    assert_eq!(wait(pid), Ended::Signal(9));
    instance.delete();
}

/// A megabyte each at the same time, and what comes in goes out.
fn exact_streams(probe: &Path) {
    const BYTES: usize = 1 << 20;
    let flood: Vec<u8> = (0..BYTES).map(|number| (number % 251) as u8).collect();
    let input: Vec<u8> = flood.iter().rev().copied().collect();
    let steps = [format!("flood-error:{BYTES}"), format!("flood:{BYTES}"), "echo".to_owned()];
    let instance = Instance::acting(probe, &steps.each_ref().map(String::as_str));
    let (streams, [mut stdin, mut stdout, mut stderr]) = pipes();
    let pid = instance.create_with(streams).unwrap();
    instance.start();
    let (said, complained) = thread::scope(|scope| {
        scope.spawn(|| {
            stdin.write_all(&input).unwrap();
            drop(stdin);
        });
        let read = |stream: &mut File| {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            bytes
        };
        let complained = scope.spawn(move || read(&mut stderr));
        (read(&mut stdout), complained.join().unwrap())
    });
    assert_eq!(wait(pid), Ended::Exit(0));
    assert!(complained == flood && said == [flood, input].concat());
    instance.delete();
}
