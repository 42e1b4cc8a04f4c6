//! Unpacking: what the tree is, and that nothing else is touched.
//!
//! The trees are written to memory (`/dev/shm`) where there is one. Run as root, the tests run once more as a
//! user without rights. `CORNERCAST_EFFORT=100` tries a hundred times as many random images.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../command/mod.rs"]
mod command;
mod disk;
mod disturbed;
mod entries;
mod foreign;
mod hostile;
mod image;
mod laws;
mod layers;
mod random;
mod usage;

use std::num::NonZero;
use std::path::Path;
use std::process::Command;

use cornercast::limits::Limits;
use cornercast::unpack::{Options, Owner, UnpackError, Unpacked, unpack};
use proptest::test_runner::Config;

use self::image::Store;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Real owners if that is possible.
fn owner() -> Owner {
    if is_root() { Owner::Image } else { Owner::Caller }
}

fn options(verify: bool) -> Options {
    let jobs = NonZero::new(2).unwrap();
    Options { owner: owner(), verify, jobs, limits: Limits::FORMAT, on_read: None }
}

fn unpack_to(store: &Store, to: &Path) -> Result<Unpacked, UnpackError> {
    unpack(store, store.id, "image", to, &options(true))
}

/// `cases` inputs, or as many times more as the variable CORNERCAST_EFFORT says.
fn cases(cases: u32) -> Config {
    let factor = std::env::var("CORNERCAST_EFFORT").map_or(1, |factor| factor.parse().expect("a number"));
    Config { cases: cases * factor, failure_persistence: None, ..Config::default() }
}

/// Runs all other tests as a user without rights.
#[test]
fn the_same_as_a_user_without_rights() {
    if !is_root() {
        return;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--"]);
    command.arg(std::env::current_exe().unwrap()).args(["--skip", "the_same_as_a_user_without_rights"]);
    // It cannot ask cargo, which is in the folder of another user.
    command.env("INSTA_WORKSPACE_ROOT", Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
    match command.output() {
        // The folder of the tests lets nobody else in.
        Ok(output) if output.status.code() == Some(126) => eprintln!("not run: another user cannot run the tests"),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{text}");
        }
        Err(error) => eprintln!("not run: setpriv: {error}"),
    }
}
