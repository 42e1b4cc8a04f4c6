//! Signals that end the command: nothing temporary is left, and the command ends by the signal, so that
//! shells and scripts see why.

use std::fs;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::build::remove_all;

/// Waits for signals from here on. Without a thread for it, they end the command as they always do.
pub(super) fn watch() {
    let ignored = ignored();
    let ends = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    let Ok(mut signals) = Signals::new(ends) else { return };
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            remove_all();
            let _ = emulate_default_handler(signal);
        }
    };
    let _ = thread::Builder::new().spawn(wait);
}

/// The signals that the command was told to ignore, as `nohup` and background jobs of shells do, from the
/// lowest bit on; none where the system does not tell.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
