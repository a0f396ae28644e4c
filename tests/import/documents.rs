//! The commands of `docs/migrating.md`.

use std::fs;
use std::path::Path;

use super::support::Namespace;

/// The blocks of commands in the section with this heading, in order.
pub fn commands(section: &str) -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/migrating.md");
    let text = fs::read_to_string(path).expect("the document");
    let (_, text) = text
        .split_once(&format!("# {section}\n"))
        .unwrap_or_else(|| panic!("no section {section}"));
    let section = text.split("\n## ").next().expect("its text");
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().expect("the block").to_owned()).collect()
}

/// Runs commands of the document in a directory. `import` may say that lines were not translated.
#[track_caller]
pub fn run(host: &Namespace, directory: &Path, commands: &str) {
    let program = Path::new(env!("CARGO_BIN_EXE_dwnl"));
    let programs = program.parent().expect("a directory").display();
    let lenient = commands.replace("> policy.toml", "> policy.toml || test $? = 3");
    let script = format!("cd {}\nPATH={programs}:$PATH\n{lenient}", directory.display());
    host.run(&["sh", "-ec", &script]);
}
