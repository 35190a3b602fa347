//! The man page, and completions for shells, both from the definition of the command line. Pure.

use std::io::{self, Write};

use clap::{Arg, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::arguments::Arguments;
use super::error::ProgramError;
use super::say;

/// Prints the script of a shell.
pub(super) fn completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "wschat", &mut script);
    say(&String::from_utf8_lossy(&script));
}

/// Prints the man page: the program, and then each command.
pub(super) fn page() -> Result<(), ProgramError> {
    let page = render().map_err(|error| ProgramError::Command(error.to_string()))?;
    say(&String::from_utf8_lossy(&page));
    Ok(())
}

fn render() -> io::Result<Vec<u8>> {
    let mut program = Arguments::command();
    program.build();
    let man = Man::new(program.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    Roff::new().control("SH", ["COMMANDS"]).to_writer(&mut page)?;
    for command in program.get_subcommands() {
        if command.has_subcommands() {
            for command in command.get_subcommands() {
                render_command(command, &mut page)?;
            }
        } else {
            render_command(command, &mut page)?;
        }
    }
    man.render_extra_section(&mut page)?;
    Ok(page)
}

/// A part of the section of the commands.
fn render_command(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let usage = command.clone().render_usage().to_string();
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string);
    Roff::new()
        .control("SS", [usage.trim_start_matches("Usage: ")])
        .text([roman(about.unwrap_or_default())])
        .to_writer(page)?;
    let mut part = Vec::new();
    // What all commands take is among the options of the program.
    let hide = |argument: Arg| argument.hide(true);
    let man = Man::new(command.clone().mut_arg("help", hide).mut_arg("settings", hide));
    man.render_options_section(&mut part)?;
    man.render_extra_section(&mut part)?;
    for line in String::from_utf8_lossy(&part).lines() {
        // Each is a paragraph here, and no section.
        writeln!(page, "{}", if line.starts_with(".SH") { ".PP" } else { line })?;
    }
    Ok(())
}
