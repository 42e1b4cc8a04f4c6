//! Steps that read and write the streams.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use cornercast::digest::Hasher;
use rustix::io::{read, retry_on_intr};
use rustix::stdio;
use rustix::termios::isatty;
use serde_json::{Value, json};

use super::step::{self, DONE, Done, Failure, Outcome, Parameters, Step};
use crate::{content, look, output, sys, value};

pub(super) const STEPS: &[Step] = &[
    Step::new("ready", |_| DONE),
    Step::new("print:TEXT", print),
    Step::new("error:TEXT", error),
    Step::new("echo", echo),
    Step::new("stdin", stdin),
    Step::new("flood:BYTES", flood),
    Step::new("flood-error:BYTES", flood_error),
    Step::new("close:FD", close),
    Step::new("reopen:STREAM:TEXT", reopen),
    Step::new("tty", tty),
    Step::new("look[:MEMBER,…]", look),
];

fn print(parameters: Parameters<'_>) -> Outcome {
    output::standard(parameters.one()?)?;
    Ok(Done::Printed)
}

fn error(parameters: Parameters<'_>) -> Outcome {
    output::error(parameters.one()?)?;
    Ok(Done::Printed)
}

fn echo(_: Parameters<'_>) -> Outcome {
    each_input(output::standard)?;
    Ok(Done::Printed)
}

fn stdin(_: Parameters<'_>) -> Outcome {
    let mut hasher = Hasher::default();
    each_input(|bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    Ok(Done::Value(json!({"bytes": hasher.size(), "sha256": hasher.finish().hex()})))
}

/// Hands over standard input, piece by piece as it comes, until it ends.
fn each_input(mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match retry_on_intr(|| read(stdio::stdin(), buffer.as_mut_slice()))? {
            0 => return Ok(()),
            read => take(buffer.get(..read).unwrap_or_default())?,
        }
    }
}

fn flood(parameters: Parameters<'_>) -> Outcome {
    pour(parameters.number()?, output::standard)
}

fn flood_error(parameters: Parameters<'_>) -> Outcome {
    pour(parameters.number()?, output::error)
}

/// Writes `bytes` bytes, of which number i is i mod 251: a prime, so that no piece looks like the next.
fn pour(bytes: u64, write: impl Fn(&[u8]) -> io::Result<()>) -> Outcome {
    let piece: Vec<u8> = (0..251).cycle().take(251 * 256).collect();
    let mut left = bytes;
    while left > 0 {
        let part = usize::try_from(left).ok().and_then(|left| piece.get(..left)).unwrap_or(&piece);
        write(part)?;
        left = left.saturating_sub(part.len().try_into().unwrap_or(left));
    }
    Ok(Done::Printed)
}

fn close(parameters: Parameters<'_>) -> Outcome {
    sys::close(parameters.number()?)?;
    DONE
}

fn reopen(parameters: Parameters<'_>) -> Outcome {
    let [stream, text] = parameters.several()?;
    let path = match stream {
        b"stdout" => "/dev/stdout",
        b"stderr" => "/dev/stderr",
        _ => return Err(Failure::Form),
    };
    OpenOptions::new().write(true).open(path)?.write_all(text)?;
    Ok(Done::Printed)
}

fn tty(_: Parameters<'_>) -> Outcome {
    let opened = content::opened("/dev/tty".as_ref(), OpenOptions::new().read(true).write(true));
    let terminals =
        [0, 1, 2].map(|number| sys::descriptor(number).is_some_and(|stream: BorrowedFd<'_>| isatty(stream)));
    Ok(Done::Value(json!({"open": value::or_error(opened.map(|_| Value::Bool(true))), "terminals": terminals})))
}

fn look(parameters: Parameters<'_>) -> Outcome {
    let document = match parameters.given() {
        None => look::document(),
        Some(names) => look::members(step::text(names)?.split(',')).ok_or(Failure::Form)?,
    };
    output::standard(format!("{document}\n").as_bytes())?;
    Ok(Done::Printed)
}
