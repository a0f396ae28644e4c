//! Writes the man pages and the completions for bash, zsh and fish. The pages of the commands come
//! from the definition of the command line, and dwnl-policy(5) comes from `docs/policy.md`.
//!
//! `cargo run --example manual -- DIRECTORY DATE`

// The code that evaluates the arguments is not needed here.
#[allow(dead_code)]
#[path = "../../src/bin/dwnl/cli/args.rs"]
mod args;
#[path = "../../src/bin/dwnl/by_hand/terms.rs"]
mod by_hand;
#[allow(dead_code)]
#[path = "../../src/bin/dwnl/cli/grant_args.rs"]
mod grant_args;
mod policy;

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, bail};
use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;

use args::Cli;

/// The last sections of the program's page, in roff.
const PROGRAM: &str = include_str!("../man/dwnl.roff");
/// The last sections of the page of `dwnl watch`.
const WATCH: &str = include_str!("../man/dwnl-watch.roff");
/// The last sections of the pages of all other commands.
const COMMAND: &str = include_str!("../man/dwnl-command.roff");
/// The last sections of dwnl-policy(5).
const POLICY: &str = include_str!("../man/dwnl-policy.roff");
/// The policy reference, in Markdown.
const REFERENCE: &str = include_str!("../../docs/policy.md");

const SOURCE: &str = concat!("dwnl ", env!("CARGO_PKG_VERSION"));

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [directory, date] = &arguments[..] else {
        bail!("usage: manual DIRECTORY DATE");
    };
    let directory = Path::new(directory);
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;

    let mut program = Cli::command();
    program.build();
    write_pages(&program, date, directory)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut program, "dwnl", directory)?;
    }
    Ok(())
}

fn write_pages(program: &Command, date: &str, directory: &Path) -> anyhow::Result<()> {
    for command in program.get_subcommands().chain([program]) {
        write_page(command, date, directory)?;
    }
    let policy = policy::page(REFERENCE, date, SOURCE).context("docs/policy.md")?;
    fs::write(directory.join("dwnl-policy.5"), policy + POLICY)?;
    Ok(())
}

fn write_page(command: &Command, date: &str, directory: &Path) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let page =
        Man::new(command.clone()).title(name.to_uppercase()).section("8").date(date).source(SOURCE);
    let mut file = File::create(directory.join(page.get_filename()))?;
    page.render_title(&mut file)?;
    page.render_name_section(&mut file)?;
    page.render_synopsis_section(&mut file)?;
    page.render_description_section(&mut file)?;
    page.render_options_section(&mut file)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut file)?;
    }
    let sections = match name {
        "dwnl" => PROGRAM,
        "dwnl-watch" => WATCH,
        _ => COMMAND,
    };
    file.write_all(sections.as_bytes())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
