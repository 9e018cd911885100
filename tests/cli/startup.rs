//! What a start does not do: help needs no runtime, no connection and no chart, so that it is there at once.

#![cfg(target_os = "linux")]

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// As much as a pipe takes on Linux before its writer has to wait.
const FULL_PIPE: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(20);

/// The program is caught while it prints: its stdout is a pipe that is full. By then it has started whatever it starts.
#[test]
fn help_is_printed_by_one_thread_that_has_opened_nothing() {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&vec![b'.'; FULL_PIPE]).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-mizar"))
        .arg("--help")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let process = format!("/proc/{}", child.id());
    let begun = Instant::now();
    let waits = || std::fs::read_to_string(format!("{process}/wchan")).unwrap_or_default().contains("pipe_w");
    // Where the kernel does not say what a process waits for, it has long come to print after this time.
    while !waits() && begun.elapsed() < PATIENCE / 10 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let threads = std::fs::read_dir(format!("{process}/task")).unwrap().count();
    let files: Vec<String> = std::fs::read_dir(format!("{process}/fd"))
        .unwrap()
        .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
        .map(|target| target.display().to_string())
        .filter(|target| target != "/dev/null" && !target.starts_with("pipe:"))
        .collect();
    assert!(child.try_wait().unwrap().is_none(), "it must still be printing");
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(text.trim_start_matches('.').contains("Usage:\n  kubectl mizar"), "{text}");
    assert_eq!(threads, 1, "help was printed by a program of {threads} threads");
    assert!(files.is_empty(), "{files:?}");
}
