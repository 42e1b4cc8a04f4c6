//! How far a long operation is, for someone who waits at a terminal.
//!
//! What reads adds to one counter, which costs next to nothing; a thread looks at it now and then. There is
//! one counter since there is one terminal, and a command does one thing at a time.

use std::io::{self, IsTerminal, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Nothing is drawn for what is done within this time.
const PATIENCE: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(100);

/// Bytes read since the operation began.
static DONE: AtomicU64 = AtomicU64::new(0);

/// Adds to what has been read.
pub(super) fn add(bytes: u64) {
    DONE.fetch_add(bytes, Ordering::Relaxed);
}

/// A reader that counts.
pub(super) struct Counted<R>(pub(super) R);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        add(read as u64);
        Ok(read)
    }
}

/// Shows the progress of an operation until it is dropped.
pub(super) struct Shown {
    /// Nothing is ever sent: the thread ends when this goes.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Shows, if standard error is a terminal, how many of `total` bytes have been read. A total of 0 is not known.
pub(super) fn show(what: &str, total: u64) -> Option<Shown> {
    DONE.store(0, Ordering::Relaxed);
    if !io::stderr().is_terminal() {
        return None;
    }
    let what = crate::shown::shown(what);
    let (end, ended) = mpsc::channel::<()>();
    let draw = move || {
        if ended.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        let bar = bar(what, total);
        while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            bar.set_position(DONE.load(Ordering::Relaxed));
            bar.tick();
        }
        bar.finish_and_clear();
    };
    // Without the thread the work is done all the same.
    let thread = thread::Builder::new().spawn(draw).ok();
    Some(Shown { end: Some(end), thread })
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.end.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn bar(what: String, total: u64) -> ProgressBar {
    let (length, template) = if total > 0 {
        (Some(total), "{msg} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left")
    } else {
        (None, "{msg} {spinner} {bytes}, {bytes_per_sec}")
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr())
        .with_style(style.progress_chars("=> ").tick_chars("|/-\\ "))
        .with_message(what)
}
