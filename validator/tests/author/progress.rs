//! Progress is for people who wait at a terminal, and for nobody else.

use super::workplace::{Workplace, peer};

/// What a shell command says that checks an archive which ends only after `seconds`.
fn slow_check(here: &Workplace, seconds: &str, redirection: &str) -> Option<String> {
    let mut terminal = peer("script")?;
    let program = env!("CARGO_BIN_EXE_cornercast");
    let check = format!("(cat base.ccast; sleep {seconds}) | {program} check - {redirection}");
    let output = terminal.args(["-qec", &check, "/dev/null"]).current_dir(here.path("")).env("TERM", "xterm").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn progress_is_drawn_after_a_second_and_cleared() {
    let here = Workplace::with_images();
    let Some(slow) = slow_check(&here, "2", "") else { return };
    assert!(slow.contains("checking") && slow.contains("KiB"), "{slow:?}");
    let end = slow.rsplit("checking").next().unwrap();
    assert!(end.contains("\u{1b}[2K"), "the line is not cleared: {slow:?}");
    assert!(end.trim_end().ends_with("1 input checked: no violations"), "{slow:?}");
}

#[test]
fn what_is_quick_and_what_is_piped_draws_nothing() {
    let here = Workplace::with_images();
    for (seconds, redirection) in [("0", ""), ("2", "2>&1 | cat")] {
        let Some(said) = slow_check(&here, seconds, redirection) else { return };
        assert_eq!(said.trim_end(), "1 input checked: no violations");
    }
}
