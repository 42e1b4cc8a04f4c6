//! The author's commands beside other programs: shells, groff, a terminal, umoci and skopeo.
//!
//! Where one is missing the test is *ignored*, with the reason, or *failed* if the variable below is 1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use workplace::{PROGRAM, Workplace, names};

#[path = "author/workplace.rs"]
#[allow(dead_code)] // Most of it is for the tests that need no other program.
mod workplace;

/// Set this to 1 where the other programs have to be there.
const REQUIRE: &str = "CORNERCAST_REQUIRE_PEERS";

fn main() -> ExitCode {
    let trials = vec![
        trial("bash_reads_its_script", &["bash"], || script_is_read("bash")),
        trial("zsh_reads_its_script", &["zsh"], || script_is_read("zsh")),
        trial("fish_reads_its_script", &["fish"], || script_is_read("fish")),
        trial("bash_completes", &["bash"], bash_completes),
        trial("groff_finds_pages_clean", &["groff"], pages_are_clean),
        trial("progress_is_drawn_after_a_second_and_cleared", &["script"], progress_is_drawn),
        trial("what_is_piped_draws_nothing", &["script"], what_is_piped_draws_nothing),
        trial("an_image_of_umoci_and_skopeo", &["umoci", "skopeo"], an_image_of_other_tools),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, programs: &'static [&str], test: fn()) -> Trial {
    Trial::ignorable_test(name, move || {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let is_there = |program: &&&str| std::env::split_paths(&folders).any(|folder| folder.join(program).is_file());
        if let Some(missing) = programs.iter().find(|program| !is_there(program)) {
            let reason = format!("{missing} is not installed");
            if std::env::var_os(REQUIRE).is_some_and(|value| value == "1") {
                return Err(Failed::from(format!("{REQUIRE}: {reason}")));
            }
            return Ok(Completion::ignored_with(reason));
        }
        test();
        Ok(Completion::Completed)
    })
}

fn peer(here: &Workplace, program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).current_dir(here.path("")).env("TERM", "xterm").output().unwrap()
}

fn script_is_read(shell: &str) {
    let here = Workplace::new();
    here.file("script", 0o644, &here.succeed(&["completions", shell]));
    let read = peer(&here, shell, &["-n", "script"]);
    assert!(read.status.success() && read.stderr.is_empty(), "{read:?}");
}

/// The script completes commands.
fn bash_completes() {
    let here = Workplace::new();
    here.file("script", 0o644, &here.succeed(&["completions", "bash"]));
    let program = "source ./script; COMP_WORDS=(cornercast ins); COMP_CWORD=1; _cornercast cornercast ins cornercast; echo \"${COMPREPLY[@]}\"";
    let output = peer(&here, "bash", &["--norc", "-c", program]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "inspect\n", "{}", String::from_utf8_lossy(&output.stderr));
}

fn pages_are_clean() {
    let here = Workplace::new();
    here.succeed(&["man", "--dir", "pages"]);
    for page in names(&here.path("pages")) {
        let path = format!("pages/{page}");
        let output = peer(&here, "groff", &["-man", "-Kutf8", "-Tutf8", "-ww", "-z", &path]);
        assert!(output.status.success() && output.stderr.is_empty(), "{page}: {output:?}");
    }
}

/// What a terminal shows of a check of an archive that ends only after two seconds.
fn slow_check(here: &Workplace, redirection: &str) -> String {
    let program = env!("CARGO_BIN_EXE_cornercast");
    let check = format!("(cat base.ccast; sleep 2) | {program} check - {redirection}");
    let output = peer(here, "script", &["-qec", &check, "/dev/null"]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn progress_is_drawn() {
    let slow = slow_check(&Workplace::with_images(), "");
    assert!(slow.contains("checking") && slow.contains("KiB"), "{slow:?}");
    let end = slow.rsplit("checking").next().unwrap();
    assert!(end.contains("\u{1b}[2K"), "the line is not cleared: {slow:?}");
    assert!(end.trim_end().ends_with("1 input checked: no violations"), "{slow:?}");
}

fn what_is_piped_draws_nothing() {
    let said = slow_check(&Workplace::with_images(), "2>&1 | cat");
    assert_eq!(said.trim_end(), "1 input checked: no violations");
}

/// An image that umoci made, as a layout and as skopeo saves it for Docker.
fn an_image_of_other_tools() {
    let here = Workplace::new();
    here.bytes("tree/usr/bin/serve", 0o755, PROGRAM);
    here.file("tree/srv/index.html", 0o644, "hello\n");
    let run = |program: &str, arguments: &[&str]| {
        let output = peer(&here, program, arguments);
        assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    };
    run("umoci", &["init", "--layout", "oci"]);
    run("umoci", &["new", "--image", "oci:1.2.3"]);
    run("umoci", &["insert", "--rootless", "--image", "oci:1.2.3", "tree/usr", "/usr"]);
    run("umoci", &["insert", "--rootless", "--image", "oci:1.2.3", "tree/srv", "/srv"]);
    let config = [
        "--config.entrypoint",
        "serve",
        "--config.workingdir",
        "/srv",
        "--config.user",
        "7:8",
        "--config.exposedports",
        "80/tcp",
        "--config.stopsignal",
        "SIGINT",
    ];
    run(
        "umoci",
        &[&["config", "--image", "oci:1.2.3", "--architecture", "amd64", "--os", "linux"], &config[..]].concat(),
    );
    let text = here.succeed(&["init", "oci:1.2.3"]);
    for line in [
        "exec = [\"/usr/bin/serve\"]",
        "user = { uid = 7, gid = 8 }",
        "version = \"1.2.3\"",
        "stop = { signal = \"SIGINT\" }",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}: {text}");
    }
    here.file("image.toml", 0o644, &text);
    here.succeed(&["pack", "tree", "--manifest", "image.toml", "-o", "image.ccast"]);
    here.succeed(&["check", "image.ccast"]);
    run("skopeo", &["copy", "--quiet", "oci:oci:1.2.3", "docker-archive:saved.tar:example.com/serve:1.2.3"]);
    let saved = here.succeed(&["init", "saved.tar"]);
    let app = |text: &str| text[text.find("[app]").unwrap()..].to_owned();
    assert_eq!(app(&saved), app(&text));
}
