//! Why there was no application.

use std::io;

use crate::backend::CreateError;
use crate::image::Trouble;
use crate::refusal::Reason;

/// An instance that was refused, or whose application could not be started, with the reasons.
pub(crate) enum Stopped {
    Refused(Vec<Reason>),
    Failed(Vec<Reason>),
}

impl Stopped {
    pub(crate) fn failed(clause: &str, message: impl Into<String>) -> Self {
        Self::Failed(vec![Reason::new(clause, message)])
    }

    /// With what the backend has said of it, if that is anything.
    pub(crate) fn saying(mut self, words: &str) -> Self {
        let (Self::Refused(reasons) | Self::Failed(reasons)) = &mut self;
        for reason in reasons.iter_mut().filter(|_| !words.is_empty()) {
            reason.message = format!("{}: {words}", reason.message);
        }
        self
    }
}

impl From<Vec<Reason>> for Stopped {
    fn from(reasons: Vec<Reason>) -> Self {
        Self::Refused(reasons)
    }
}

impl From<CreateError> for Stopped {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Program(why) => Self::failed("RUN-093", why),
            CreateError::Host(why) => Self::Failed(vec![Reason::of_host(why)]),
        }
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Refused(vec![Reason::of_host(error.to_string())])
    }
}

impl From<Trouble> for Stopped {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(reasons) => Self::Refused(reasons),
            Trouble::Io(error) => error.into(),
        }
    }
}
