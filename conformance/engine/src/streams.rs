//! The descriptors 0, 1 and 2 of the application, and the bytes that pass through them.
//!
//! They are pipes, so that the application gets hold of nothing of the caller's. Nothing of its output is let through
//! until it is known that the application, and not what starts it, has written it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::termios::isatty;

use crate::application::Requests;
use crate::backend::Streams;

/// Bytes that are passed on at once.
const PIECE: usize = 64 << 10;

/// How many bytes of words are enough.
const WORDS: usize = 2 << 10;

/// What passes the bytes on.
pub(crate) struct Passing {
    gates: Vec<Sender<bool>>,
    threads: Vec<JoinHandle<Vec<u8>>>,
    /// Goes when the instance has ended.
    end: OwnedFd,
}

/// The streams of an application, and what passes them on to and from those of this process.
///
/// # Errors
///
/// Errors of making pipes and threads.
pub(crate) fn open() -> io::Result<(Streams, Passing)> {
    let (stdin, input) = pipe_with(PipeFlags::CLOEXEC)?;
    let (output, stdout) = pipe_with(PipeFlags::CLOEXEC)?;
    let (errors, stderr) = pipe_with(PipeFlags::CLOEXEC)?;
    feed(input)?;
    let (ended, end) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut passing = Passing { gates: Vec::new(), threads: Vec::new(), end };
    for (from, to) in
        [(output, io::stdout().as_fd().try_clone_to_owned()?), (errors, io::stderr().as_fd().try_clone_to_owned()?)]
    {
        let (gate, opened) = channel();
        passing.gates.push(gate);
        let ended = ended.try_clone()?;
        passing.threads.push(thread::Builder::new().spawn(move || pass(from, to, &opened, &ended))?);
    }
    Ok((Streams { stdin, stdout, stderr }, passing))
}

impl Passing {
    /// Lets the output through.
    pub(crate) fn release(&mut self) {
        for gate in self.gates.drain(..) {
            let _ = gate.send(true);
        }
    }

    /// What has been written to standard error where there is no application, in a line.
    pub(crate) fn withheld(self) -> String {
        let Self { gates, mut threads, end: _end } = self;
        drop(gates);
        // The last of them is that of standard error.
        let said = threads.pop().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
    }

    /// Waits until everything has passed that was written until now, when the instance has ended; others may have its
    /// end of a pipe. What was never released is thrown away. Gives up if that is requested, as the caller may not read.
    pub(crate) fn finish(self, requests: &Requests) {
        let Self { gates, threads, end } = self;
        drop((gates, end));
        let mut pause = Duration::from_micros(50);
        while threads.iter().any(|thread| !thread.is_finished()) {
            if requests.take() || requests.are_of_nobody() {
                return;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(5));
        }
    }
}

/// Passes standard input on; a terminal is the end of it at once.
fn feed(to: OwnedFd) -> io::Result<()> {
    let stdin = io::stdin().as_fd().try_clone_to_owned();
    // It can be closed.
    let Ok(stdin) = stdin else { return Ok(()) };
    if isatty(&stdin) {
        return Ok(());
    }
    // Nobody waits for this thread: the caller can keep its end open for ever.
    thread::Builder::new().spawn(move || {
        let _ = copy(&mut File::from(stdin), &mut File::from(to));
    })?;
    Ok(())
}

/// Passes on what is written, when that is let through; otherwise what there is of it, as far as it is of use.
fn pass(from: OwnedFd, to: OwnedFd, opened: &Receiver<bool>, ended: &OwnedFd) -> Vec<u8> {
    if opened.recv().unwrap_or(false) {
        // If whoever reads has gone, the reading end goes with this thread, which the application sees.
        let _ = drain(&mut File::from(from), &mut File::from(to), ended);
        return Vec::new();
    }
    let mut there = vec![0; WORDS];
    // Somebody else can have the other end.
    let has_some =
        poll(&mut [PollFd::new(&from, PollFlags::IN)], Some(&Timespec::default())).is_ok_and(|ready| ready > 0);
    let read = if has_some { File::from(from).read(&mut there).unwrap_or(0) } else { 0 };
    there.truncate(read);
    there
}

/// Copies until nobody can write any more, or until there is nothing more and the instance has ended.
fn drain(from: &mut File, to: &mut File, ended: &OwnedFd) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        let mut descriptors = [PollFd::new(from, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
        match poll(&mut descriptors, None) {
            Err(rustix::io::Errno::INTR) => continue,
            result => result?,
        };
        let [output, end] = &descriptors;
        let has_some = !output.revents().is_empty();
        if !has_some && !end.revents().is_empty() {
            return Ok(());
        }
        if has_some {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => write(to, buffer.get(..read).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn copy(from: &mut File, to: &mut File) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        let read = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait_for(from, PollFlags::IN)?;
                continue;
            }
            read => read?,
        };
        if read == 0 {
            return Ok(());
        }
        write(to, buffer.get(..read).unwrap_or_default())?;
    }
}

/// Writes all of `bytes`. The caller's streams can be such that do not wait, which others set for them: where there is no
/// room now, there will be.
fn write(to: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait_for(to, PollFlags::OUT)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits until something can be read or written, or never will be.
fn wait_for(file: &File, what: PollFlags) -> io::Result<()> {
    match poll(&mut [PollFd::new(file, what)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const BYTES: usize = 1 << 20;

    fn not_waiting(end: OwnedFd) -> File {
        rustix::fs::fcntl_setfl(&end, rustix::fs::OFlags::NONBLOCK).unwrap();
        File::from(end)
    }

    /// All that comes from `from`, slowly.
    fn slowly(mut from: File) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 16 << 10]);
        loop {
            thread::sleep(Duration::from_millis(1));
            match from.read(&mut buffer).unwrap() {
                0 => return all,
                read => all.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            }
        }
    }

    fn flood() -> Vec<u8> {
        (0..BYTES).map(|number| (number % 251) as u8).collect()
    }

    #[test]
    fn an_output_that_does_not_wait_is_not_cut() {
        let (read, written) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let mut written = not_waiting(written);
        let reader = thread::spawn(move || slowly(File::from(read)));
        write(&mut written, &flood()).unwrap();
        drop(written);
        assert!(reader.join().unwrap() == flood());
    }

    #[test]
    fn an_output_that_nobody_reads_any_more_ends() {
        let (read, written) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let mut written = not_waiting(written);
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            drop(read);
        });
        assert_eq!(write(&mut written, &flood()).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn an_input_that_does_not_wait_is_not_cut() {
        let (read, written) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let (passed, to) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let writer = thread::spawn(move || {
            let mut written = File::from(written);
            for part in flood().chunks(100_000) {
                thread::sleep(Duration::from_millis(5));
                written.write_all(part).unwrap();
            }
        });
        let reader = thread::spawn(move || slowly(File::from(passed)));
        copy(&mut not_waiting(read), &mut File::from(to)).unwrap();
        writer.join().unwrap();
        assert!(reader.join().unwrap() == flood());
    }
}
