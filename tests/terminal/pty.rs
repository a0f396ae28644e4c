//! Runs a command on a pseudoterminal.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::thread;

use nix::pty::{OpenptyResult, Winsize, openpty};

/// The size of the terminal.
const SIZE: Winsize = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// What a command writes to a terminal: first to standard error, then to standard output.
pub fn on_terminal(mut command: Command, has_colour: bool) -> String {
    for variable in ["CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "NO_COLOR", "CI"] {
        command.env_remove(variable);
    }
    command.env("TERM", "xterm-256color");
    if !has_colour {
        command.env("NO_COLOR", "1");
    }
    let [out, err] = [(); 2].map(|()| openpty(&SIZE, None).expect("a pseudoterminal"));
    let (out, err) = {
        let (OpenptyResult { master: out, slave: stdout }, OpenptyResult { master: err, slave }) =
            (out, err);
        command.stdin(Stdio::null()).stdout(stdout).stderr(slave);
        (out, err)
    };
    let mut child = command.spawn().expect("the command");
    // Only the program holds the other ends now, so that reading ends with it.
    drop(command);
    let err = thread::spawn(move || read(err));
    let out = read(out);
    child.wait().expect("its end");
    let err = err.join().expect("its errors");
    format!("{}{}", without_spinner(&err), out).replace("\r\n", "\n")
}

fn read(terminal: OwnedFd) -> String {
    let mut text = Vec::new();
    // EIO, once nothing holds the other end.
    let _ = File::from(terminal).read_to_end(&mut text);
    String::from_utf8(text).expect("UTF-8")
}

/// The lines as they are in the end: a spinner of a slow command clears its line.
fn without_spinner(text: &str) -> String {
    const CLEAR: &str = "\x1b[2K";
    let lines = text.split_inclusive('\n');
    lines.map(|line| line.rsplit_once(CLEAR).map_or(line, |(_, rest)| rest)).collect()
}
