//! The stack of the application (RUN-031), whose limit it inherits.

use std::io;

use rustix::process::{Resource, getrlimit, setrlimit};

/// The least soft limit, in bytes.
const LEAST: u64 = 8 << 20;

/// Raises the soft limit of this process, and so of whatever it starts, to what an application can count on. A greater
/// one stays.
///
/// # Errors
///
/// If the hard limit is lower: whoever set it does not want more to be had.
pub(crate) fn raise() -> io::Result<()> {
    let mut limit = getrlimit(Resource::Stack);
    if let Some(hard) = limit.maximum.filter(|hard| *hard < LEAST) {
        let message = format!("the hard limit of the stack is {hard} bytes; an application gets at least {LEAST}");
        return Err(io::Error::other(message));
    }
    if limit.current.is_some_and(|soft| soft < LEAST) {
        limit.current = Some(LEAST);
        setrlimit(Resource::Stack, limit)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lower_limit_is_raised() {
        let before = getrlimit(Resource::Stack);
        for (soft, expected) in [(1 << 20, LEAST), (LEAST, LEAST), (LEAST + 4096, LEAST + 4096)] {
            setrlimit(Resource::Stack, rustix::process::Rlimit { current: Some(soft), ..before }).unwrap();
            raise().unwrap();
            assert_eq!(getrlimit(Resource::Stack).current, Some(expected));
        }
        setrlimit(Resource::Stack, before).unwrap();
    }
}
