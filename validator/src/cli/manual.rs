//! `cornercast man` and `completions`: what a package of the command installs beside it.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, Failure, print};
use crate::build::{finish, make_folder, temporary_in};
use crate::suggestion::closest;

pub(super) fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cornercast", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the page of the command, or of one of its commands.
pub(super) fn page(name: Option<&str>) -> Result<ExitCode, Failure> {
    let commands = commands();
    let wanted = name.map_or_else(|| "cornercast".to_owned(), |name| format!("cornercast-{name}"));
    let Some(command) = commands.iter().find(|command| full_name(command) == wanted) else {
        let names: Vec<&str> = commands.iter().map(Command::get_name).skip(1).collect();
        let close = closest(name.unwrap_or_default(), names.iter().copied());
        let hint =
            close.map_or_else(|| format!("there are {}", names.join(", ")), |close| format!("did you mean `{close}`?"));
        return Err(Failure::Error(format!("there is no command `{}`; {hint}", name.unwrap_or_default())));
    };
    let text = render(command).map_err(|error| Failure::Error(error.to_string()))?;
    print(&String::from_utf8_lossy(&text))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes all pages into a folder, which is made if it is not there.
pub(super) fn pages(folder: &Path) -> Result<ExitCode, Failure> {
    let write = || -> io::Result<()> {
        make_folder(folder)?;
        for command in commands() {
            let mut file = temporary_in(folder)?;
            file.write_all(&render(&command)?)?;
            finish(file, &folder.join(format!("{}.1", full_name(&command))))?;
        }
        Ok(())
    };
    write().map_err(|error| Failure::Error(format!("{}: {error}", folder.display())))?;
    Ok(ExitCode::SUCCESS)
}

/// The command itself, and its commands.
fn commands() -> Vec<Command> {
    let mut command = Cli::command();
    command.build();
    let below: Vec<Command> = command.get_subcommands().cloned().collect();
    std::iter::once(command).chain(below).collect()
}

fn full_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn render(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let source = concat!("cornercast ", env!("CARGO_PKG_VERSION"));
    // An empty date would be no argument at all, and the next one would take its place.
    Man::new(command.clone()).date(" ").source(source).manual("Cornercast").render(&mut page)?;
    Ok(page)
}
