//! Runs a program under a pseudo-terminal, answers its question, and keeps every byte that it writes.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::pty::{OpenptyResult, Winsize, openpty};

use crate::failure::Failure;

/// What the product asks before it changes anything.
const QUESTION: &[u8] = b"[y/N] ";
/// A server's port is another one each time.
const SERVER: &str = "https://127.0.0.1:";
const PORT_SHOWN: &str = "6443";

/// The prompt, what was typed, and what the program wrote to the terminal.
pub(super) fn record(command: Command, typed: String, columns: u16, patience: Duration) -> Result<Vec<u8>, Failure> {
    let unrun = |source: std::io::Error| Failure::Run { program: typed.clone(), source };
    let (mut child, master) = start(command, columns).map_err(unrun)?;
    let mut keyboard = File::from(master.try_clone().map_err(unrun)?);
    let output = follow(File::from(master));
    let deadline = Instant::now() + patience;
    let mut written = Vec::new();
    let mut answered = false;
    loop {
        match output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(bytes) => written.extend(bytes),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                child.kill().and_then(|()| child.wait()).map_err(unrun)?;
                let seen = String::from_utf8_lossy(&written).into_owned();
                return Err(Failure::Late { what: format!("the end of `{typed}`"), patience, seen });
            }
        }
        if !answered && written.ends_with(QUESTION) {
            keyboard.write_all(b"y\n").map_err(unrun)?;
            answered = true;
        }
    }
    let status = child.wait().map_err(unrun)?;
    if !status.success() {
        return Err(Failure::Command { command: typed, status });
    }
    let text = with_fixed_port(&String::from_utf8_lossy(&written));
    Ok(format!("\x1b[32m$\x1b[0m \x1b[1m{typed}\x1b[0m\r\n{text}\r\n").into_bytes())
}

/// Starts the program with the terminal as its three streams, and returns our end of the terminal.
fn start(mut command: Command, columns: u16) -> std::io::Result<(Child, OwnedFd)> {
    let size = Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let OpenptyResult { master, slave } = openpty(&size, None)?;
    command.stdin(Stdio::from(slave.try_clone()?)).stdout(Stdio::from(slave.try_clone()?)).stderr(Stdio::from(slave));
    command.env("TERM", "xterm-256color").env_remove("NO_COLOR").env_remove("CLICOLOR");
    // The command holds the program's end; only when it is gone too does the terminal end with the program.
    Ok((command.spawn()?, master))
}

/// Reads until the program and its terminal are gone.
fn follow(mut terminal: File) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        // Linux reports the end of a terminal as an error.
        while let Ok(count @ 1..) = terminal.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

fn with_fixed_port(text: &str) -> String {
    let mut parts = text.split(SERVER);
    let mut fixed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        fixed += SERVER;
        fixed += PORT_SHOWN;
        fixed += part.trim_start_matches(|letter: char| letter.is_ascii_digit());
    }
    fixed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_program_has_a_terminal_of_that_width_and_its_question_is_answered() {
        let script = "test -t 0 && test -t 2 && stty size; printf 'Sure? [y/N] '; read answer; echo \"said $answer\"";
        let written = record(shell(script), "ask".into(), 90, Duration::from_secs(20)).unwrap();
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text, "\x1b[32m$\x1b[0m \x1b[1mask\x1b[0m\r\n50 90\r\nSure? [y/N] y\r\nsaid y\r\n\r\n");
    }

    #[test]
    fn a_program_that_fails_or_hangs_makes_no_picture() {
        let failed = record(shell("exit 3"), "fail".into(), 80, Duration::from_secs(20));
        assert!(matches!(failed, Err(Failure::Command { .. })));
        let late = record(shell("echo begun; exec sleep 60"), "hang".into(), 80, Duration::from_millis(500));
        assert!(matches!(late, Err(Failure::Late { seen, .. }) if seen.contains("begun")));
    }

    #[test]
    fn ports_are_always_the_same() {
        assert_eq!(with_fixed_port("on https://127.0.0.1:40123/x"), "on https://127.0.0.1:6443/x");
        assert_eq!(with_fixed_port("nothing"), "nothing");
    }
}
