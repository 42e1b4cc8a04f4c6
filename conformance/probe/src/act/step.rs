//! What a step is, what it is given, and what comes of it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;

use rustix::io::Errno;
use serde_json::Value;

use crate::signal;

/// A step: how it is written, and what does it.
#[derive(Debug)]
pub(super) struct Step {
    /// The name, then what it takes.
    pub(super) form: &'static str,
    /// Does it.
    pub(super) act: fn(Parameters<'_>) -> Outcome,
}

impl Step {
    /// A step of that form.
    pub(super) const fn new(form: &'static str, act: fn(Parameters<'_>) -> Outcome) -> Self {
        Self { form, act }
    }

    /// The form up to what the step takes.
    pub(super) fn name(&self) -> &'static str {
        self.form.split([':', '[']).next().unwrap_or_default()
    }
}

/// What comes of a step.
pub(super) type Outcome = Result<Done, Failure>;

/// What a step did.
#[derive(Debug)]
pub(super) enum Done {
    /// It got through, and says this.
    Value(Value),
    /// It got so far, then this happened.
    Part(Value, io::Error),
    /// It has written what there is to write.
    Printed,
    /// The program is to exit.
    Exit(u8),
}

/// What there is to say of a step that only has to get through.
pub(super) const DONE: Outcome = Ok(Done::Value(Value::Bool(true)));

/// Why a step was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// What it was given is not what its form says.
    Form,
    /// The system did not do it.
    System(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        Self::System(error.into())
    }
}

/// What a step is given: what follows the first colon, if there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameters<'a>(Option<&'a [u8]>);

impl<'a> Parameters<'a> {
    /// What follows the first colon.
    pub(super) fn new(bytes: Option<&'a [u8]>) -> Self {
        Self(bytes)
    }

    /// Everything that is given, if anything is.
    pub(super) fn given(self) -> Option<&'a [u8]> {
        self.0
    }

    /// The one parameter.
    pub(super) fn one(self) -> Result<&'a [u8], Failure> {
        self.0.ok_or(Failure::Form)
    }

    /// The one parameter, a path.
    pub(super) fn path(self) -> Result<&'a Path, Failure> {
        self.one().map(path)
    }

    /// The one parameter, a number.
    pub(super) fn number<T: FromStr>(self) -> Result<T, Failure> {
        number(self.one()?)
    }

    /// So many parameters, of which the last may have colons in it.
    pub(super) fn several<const N: usize>(self) -> Result<[&'a [u8]; N], Failure> {
        let parts: Vec<&[u8]> = self.one()?.splitn(N, |byte| *byte == b':').collect();
        parts.try_into().map_err(|_| Failure::Form)
    }

    /// Two parameters, of which the first may have colons in it.
    pub(super) fn last(self) -> Result<[&'a [u8]; 2], Failure> {
        let mut parts = self.one()?.rsplitn(2, |byte| *byte == b':');
        let (last, first) = (parts.next().unwrap_or_default(), parts.next().ok_or(Failure::Form)?);
        Ok([first, last])
    }
}

/// The path of those bytes.
pub(super) fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// A parameter that is text.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(bytes).map_err(|_| Failure::Form)
}

/// A parameter that is a number.
pub(super) fn number<T: FromStr>(bytes: &[u8]) -> Result<T, Failure> {
    text(bytes)?.parse().map_err(|_| Failure::Form)
}

/// A parameter that names a signal.
pub(super) fn signal(bytes: &[u8]) -> Result<i32, Failure> {
    signal::number(text(bytes)?).ok_or(Failure::Form)
}
