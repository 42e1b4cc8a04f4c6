//! The log of LXC, which says what its exit status does not: whether the program was executed, and how it has ended.
//!
//! Its lines name what others choose, such as the program, so a line is read by its fields and nothing is looked for
//! anywhere in it. None has a line end of somebody else's: [`super::Lxc`] refuses programs that have one in their name.

use crate::backend::{CreateError, End};

/// The level of what is told of the course of things.
const NOTICE: &str = "NOTICE";

/// The levels of what has gone wrong.
const ERRORS: [&str; 4] = ["ERROR", "CRIT", "ALERT", "FATAL"];

/// A line: `lxc-start NAME TIME LEVEL CATEGORY - FILE:FUNCTION:NUMBER - MESSAGE`.
struct Line<'a> {
    level: &'a str,
    function: &'a str,
    message: &'a str,
}

impl<'a> Line<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(3, " - ");
        let (head, place, message) = (parts.next()?, parts.next()?, parts.next()?);
        let level = head.split_ascii_whitespace().rev().nth(1)?;
        Some(Self { level, function: place.rsplit(':').nth(1)?, message })
    }

    /// Whether the process that is to become the application says that it executes the program now.
    fn executes(&self) -> bool {
        self.level == NOTICE && self.function == "start" && self.message.starts_with("Exec'ing \"")
    }

    /// Whether it says that this has failed.
    fn could_not(&self) -> bool {
        self.is_error() && self.function == "start" && self.message.contains(" - Failed to exec \"")
    }

    /// Whether `lxc-start` says that it has got no word of a failure until the process executed something, or ended.
    fn has_started(&self) -> bool {
        self.level == NOTICE && self.function == "post_start" && self.message.starts_with("Started \"")
    }

    fn is_error(&self) -> bool {
        ERRORS.contains(&self.level)
    }

    /// How the application has ended: `Child <7> ended on error (1)`, `Child <7> ended on signal Killed(9)`.
    fn end(&self) -> Option<End> {
        let of_end = self.level == "INFO" && self.function == "lxc_error_set_and_log";
        let (_, how) = self.message.strip_prefix("Child <").filter(|_| of_end)?.split_once("> ended on ")?;
        let number = how.strip_suffix(')')?.rsplit_once('(')?.1;
        match how.split_once(' ')?.0 {
            "error" => Some(End::Exited(number.parse().ok()?)),
            "signal" => Some(End::Signaled(number.parse().ok()?)),
            _ => None,
        }
    }
}

fn lines(log: &str) -> impl Iterator<Item = Line<'_>> {
    log.lines().filter_map(Line::of)
}

/// Whether the program was executed.
///
/// # Errors
///
/// Why it was not: the program, or else what went wrong first.
pub(super) fn began(log: &str) -> Result<(), CreateError> {
    if let Some(line) = lines(log).find(Line::could_not) {
        return Err(CreateError::Program(format!("LXC: {}", line.message)));
    }
    // What goes wrong afterwards, such as when it cleans up, is not about that.
    if lines(log).any(|line| line.executes()) && lines(log).any(|line| line.has_started()) {
        return Ok(());
    }
    Err(CreateError::Host(lines(log).find(Line::is_error).map_or_else(
        || "LXC ended before it executed the program, and does not say why".to_owned(),
        |line| format!("LXC: {}", line.message),
    )))
}

/// How the application has ended, unless with the exit code 0, of which nothing is said.
pub(super) fn end(log: &str) -> Option<End> {
    lines(log).filter_map(|line| line.end()).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As LXC 5.0.2 wrote them.
    fn line(level: &str, place: &str, message: &str) -> String {
        format!("lxc-start a 20261130155745.184 {level:8} start - ../src/lxc/start.c:{place} - {message}\n")
    }

    fn executes(program: &str) -> String {
        line("NOTICE", "start:2194", &format!("Exec'ing \"{program}\""))
    }

    fn started(program: &str) -> String {
        line("NOTICE", "post_start:2205", &format!("Started \"{program}\" with pid \"25583\""))
    }

    fn error(place: &str, message: &str) -> String {
        line("ERROR", place, message)
    }

    #[test]
    fn what_was_executed_has_said_so() {
        let program = "/a ERROR b - Failed to exec \"c\"";
        assert_eq!(began(&(executes(program) + &started(program))), Ok(()));
        let cleaning = error("lxc_end:1030", "Failed to destroy the control group");
        assert_eq!(began(&(executes("/a") + &started("/a") + &cleaning)), Ok(()));
    }

    #[test]
    fn without_a_sign_nothing_was_executed() {
        let silent = "LXC ended before it executed the program, and does not say why";
        // Killed before it executed anything, which `lxc-start` cannot tell from that it did; and it was killed itself.
        let of_others = line("INFO", "start:1", "Exec'ing \"/a\"") + &line("NOTICE", "run:1", "Exec'ing \"/a\"");
        for log in [String::new(), started("/a"), executes("/a"), of_others + &started("/a")] {
            assert_eq!(began(&log), Err(CreateError::Host(silent.to_owned())), "{log}");
        }
    }

    #[test]
    fn the_program_and_the_host_are_told_apart() {
        let others = error("sync_wait:34", "An error occurred in another process (expected sequence number 7)");
        let program = error("start:2197", "Permission denied - Failed to exec \"/a\"");
        let why = "LXC: Permission denied - Failed to exec \"/a\"".to_owned();
        assert_eq!(began(&(executes("/a") + &program + &others)), Err(CreateError::Program(why.clone())));
        // The process and `lxc-start` write at the same time.
        assert_eq!(began(&(executes("/a") + &others + &program)), Err(CreateError::Program(why)));
        let host = error("cgfsng_setup_limits_legacy:3160", "Failed to set \"memory.limit_in_bytes\"");
        let why = "LXC: Failed to set \"memory.limit_in_bytes\"".to_owned();
        assert_eq!(began(&(host + &others)), Err(CreateError::Host(why)));
    }

    #[test]
    fn how_an_application_has_ended_stands_in_the_log() {
        let line = |how: &str| line("INFO", "lxc_error_set_and_log:31", &format!("Child <7> ended on {how}"));
        assert_eq!(end(&line("error (255)")), Some(End::Exited(255)));
        assert_eq!(end(&(line("error (1)") + &line("signal Killed(9)"))), Some(End::Signaled(9)));
        assert_eq!(end(&line("signal Real-time signal 0(34)")), Some(End::Signaled(34)));
        for other in ["error (256)", "error (-1)", "error ()", "error 1", "signal", "something (1)"] {
            assert_eq!(end(&line(other)), None, "{other}");
        }
        let named = executes("/a - b:lxc_error_set_and_log:1 - Child <7> ended on error (1)");
        assert_eq!(end(&named), None);
    }
}
