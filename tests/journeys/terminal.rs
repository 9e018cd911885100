//! What a person sees at a terminal: a real one, as wide as a test says, with a keyboard; its screen is read as a person
//! would read it.

use std::io::Read as _;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mizar_bed::{Bed, Fault, FaultOrder};
use pty_process::{OwnedWritePty, Pty, Size};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;
use vt100::Parser;

use crate::cli::Mizar;
use crate::cluster::{NAMESPACE, address_of_new_pod, changes, installed, items, patch};
use crate::repair::restart_operator;
use crate::restart::until;

/// No picture of ours takes longer to appear.
const PATIENCE: Duration = Duration::from_secs(30);
const CTRL_C: &[u8] = b"\x03";

/// A program at a terminal.
struct Terminal {
    child: Child,
    keyboard: OwnedWritePty,
    screen: Arc<Mutex<Parser>>,
}

impl Terminal {
    fn start(program: Mizar, rows: u16, columns: u16) -> Self {
        let (pty, pts) = pty_process::open().unwrap();
        pty.resize(Size::new(rows, columns)).unwrap();
        let screen = Arc::new(Mutex::new(Parser::new(cells(rows), cells(columns), 1000)));
        let child = pty_process::Command::from(program.at_terminal()).spawn(pts).unwrap();
        let keyboard = watch(pty, screen.clone());
        Self { child, keyboard, screen }
    }

    /// What is on the screen, line by line.
    fn lines(&self) -> Vec<String> {
        let screen = self.screen.lock().unwrap();
        let columns = screen.screen().size().1;
        screen.screen().rows(0, columns.get()).map(|row| row.trim_end().to_owned()).collect()
    }

    /// Waits until the screen is as expected; returns it.
    async fn until(&self, what: &str, is_there: impl Fn(&[String]) -> bool) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lines = self.lines();
            if is_there(&lines) {
                return lines;
            }
            assert!(Instant::now() < deadline, "no {what} on\n{}", lines.join("\n"));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until one of the lines holds `words`.
    async fn shows(&self, words: &str) -> Vec<String> {
        self.until(words, |lines| lines.iter().any(|line| line.contains(words))).await
    }

    fn resize(&self, rows: u16, columns: u16) {
        self.screen.lock().unwrap().screen_mut().set_size(cells(rows), cells(columns));
        self.keyboard.resize(Size::new(rows, columns)).unwrap();
    }

    async fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).await.unwrap();
    }

    /// Waits for the end; returns the exit code.
    async fn end(&mut self) -> Option<i32> {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap();
        // What it wrote last may still be on its way to the screen.
        tokio::time::sleep(Duration::from_millis(300)).await;
        status.code()
    }

    /// Whether the terminal is as a shell expects it: its own screen, a cursor, no half line.
    fn is_left_in_order(&self) -> bool {
        let screen = self.screen.lock().unwrap();
        let screen = screen.screen();
        !screen.alternate_screen() && !screen.hide_cursor() && screen.cursor_position().1 == 0
    }
}

fn cells(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

/// Puts everything that comes on the screen; returns the way in.
fn watch(pty: Pty, screen: Arc<Mutex<Parser>>) -> OwnedWritePty {
    let (mut output, keyboard) = pty.into_split();
    tokio::spawn(async move {
        let mut bytes = [0; 4096];
        // Linux reports the end of a terminal as an error.
        while let Ok(count @ 1..) = output.read(&mut bytes).await {
            screen.lock().unwrap().process(&bytes[..count]);
        }
    });
    keyboard
}

async fn scale_operator(bed: &Bed, replicas: u32) {
    let operator = "/apis/apps/v1/namespaces/mizar-system/deployments/mizar-operator";
    patch(bed, operator, &json!({"spec": {"replicas": replicas}})).await;
}

#[tokio::test]
async fn a_watched_status_is_drawn_in_place_in_any_window_and_leaves_the_terminal_as_it_was() {
    let bed = installed().await;
    let mut terminal = Terminal::start(Mizar::on(&bed).args("status --watch"), 40, 100);
    let before = terminal.shows("1 of 1 ready").await;
    assert!(terminal.screen.lock().unwrap().screen().alternate_screen());
    assert!(terminal.screen.lock().unwrap().screen().hide_cursor());

    scale_operator(&bed, 2).await;
    let after = terminal.until("finding", |lines| lines.iter().any(|line| line.trim_start().starts_with('✗'))).await;
    assert_ne!(before, after);
    let count = |words: &str| after.iter().filter(|line| line.contains(words)).count();
    assert_eq!((count("Cluster"), count("kubectl-mizar"), count("environment")), (1, 1, 1), "{after:#?}");

    terminal.resize(8, 30);
    let small =
        terminal.until("a cut screen", |lines| lines.last().is_some_and(|line| line.contains("more lines"))).await;
    assert_eq!((small.len(), small[0].as_str()), (8, "Cluster"), "{small:#?}");
    assert!(small[1].starts_with("  server       https://"), "one line is one row, however narrow: {small:#?}");

    terminal.resize(40, 100);
    scale_operator(&bed, 1).await;
    terminal.until("the first picture again", |lines| lines == before).await;
    terminal.press(CTRL_C).await;
    assert_eq!(terminal.end().await, Some(130));
    assert!(terminal.is_left_in_order(), "{:#?}", terminal.lines());
    terminal.shows("1 of 1 ready").await;
}

#[tokio::test]
async fn who_wants_no_colours_gets_the_same_screen_without() {
    let bed = installed().await;
    let start =
        |name: &str, value: &str| Terminal::start(Mizar::on(&bed).args("status --watch").env(name, value), 40, 100);
    let coloured = |terminal: &Terminal| {
        let screen = terminal.screen.lock().unwrap();
        let is_plain = |cell: &vt100::Cell| cell.fgcolor() == vt100::Color::Default && !cell.bold() && !cell.dim();
        (0..40).any(|row| (0..100).any(|column| screen.screen().cell(row, column).is_some_and(|cell| !is_plain(cell))))
    };
    let mut plain = start("NO_COLOR", "1");
    let without = plain.shows("1 of 1 ready").await;
    assert!(plain.screen.lock().unwrap().screen().alternate_screen(), "colours are no reason not to draw in place");
    let mut rich = start("COLORTERM", "truecolor");
    let with = rich.until("the same", |lines| lines == without).await;
    assert!(!coloured(&plain) && coloured(&rich), "{with:#?}");
    for terminal in [&mut plain, &mut rich] {
        terminal.press(CTRL_C).await;
        assert_eq!(terminal.end().await, Some(130));
    }
}

#[tokio::test]
async fn a_terminal_that_cannot_move_its_cursor_gets_plain_lines() {
    let bed = installed().await;
    let mut dumb = Terminal::start(Mizar::on(&bed).args("status --watch").env("TERM", "dumb"), 60, 100);
    dumb.shows("1 of 1 ready").await;
    assert!(!dumb.screen.lock().unwrap().screen().alternate_screen());
    dumb.press(CTRL_C).await;
    assert_eq!(dumb.end().await, Some(130));

    scale_operator(&bed, 2).await;
    let mut check = Terminal::start(Mizar::on(&bed).args("check --wait --timeout 3s").env("TERM", "dumb"), 200, 160);
    assert_eq!(check.end().await, Some(6));
    let lines = check.lines();
    assert!(lines[0].contains("waiting until all is well …"), "{lines:#?}");
    scale_operator(&bed, 1).await;
}

#[tokio::test]
async fn a_wait_is_one_line_that_goes_when_it_is_over_or_interrupted() {
    let bed = installed().await;
    scale_operator(&bed, 2).await;
    let wait = || Mizar::on(&bed).args("check --wait --timeout 60s");
    let mut terminal = Terminal::start(wait(), 60, 80);
    let is_live = |line: &String| line.contains("waiting until all is well ");
    let waiting = terminal.until("live line", |lines| lines.iter().any(is_live)).await;
    assert_eq!(waiting.iter().filter(|line| !line.is_empty()).count(), 1, "one line, cut at the edge: {waiting:#?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(terminal.lines().iter().filter(|line| !line.is_empty()).count(), 1, "{:#?}", terminal.lines());
    terminal.press(CTRL_C).await;
    assert_eq!(terminal.end().await, Some(130));
    assert!(terminal.is_left_in_order(), "{:#?}", terminal.lines());
    assert!(!terminal.lines().iter().any(is_live), "{:#?}", terminal.lines());

    let mut terminal = Terminal::start(wait(), 100, 160);
    terminal.until("live line", |lines| lines.iter().any(is_live)).await;
    scale_operator(&bed, 1).await;
    assert_eq!(terminal.end().await, Some(0));
    assert!(terminal.is_left_in_order());
    assert!(!terminal.lines().iter().any(is_live), "{:#?}", terminal.lines());
}

#[tokio::test]
async fn a_watch_ends_when_nobody_reads_it_any_more() {
    let bed = installed().await;
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut child = Mizar::on(&bed).args("status --watch -o json").writing_to(writer.into()).spawn().unwrap();
    let mut first = [0; 1];
    tokio::task::spawn_blocking(move || reader.read_exact(&mut first).map(|()| drop(reader))).await.unwrap().unwrap();
    scale_operator(&bed, 2).await;
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(0));
    scale_operator(&bed, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_up_while_a_person_reads_a_plan_is_shown_and_asked_for_again() {
    let bed = installed().await;
    address_of_new_pod(&bed, "a").await;
    restart_operator(&bed).await;
    let mark = bed.mark().await.unwrap();
    let mut terminal = Terminal::start(Mizar::on(&bed).args("repair"), 60, 140);
    let first = terminal.shows("Carry out this plan?").await;
    assert!(!first.iter().any(|line| line.contains("node-programming")), "{first:?}");
    bed.fault(FaultOrder { fault: Fault::DaemonRestart, node: Some("node-2".to_owned()) }).await.unwrap();
    let daemons = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=job=mizar-daemon");
    until("the daemon is back", async || {
        items(&bed, &daemons).await.iter().any(|pod| {
            let status = &pod["status"]["containerStatuses"][0];
            pod["spec"]["nodeName"] == "node-2" && status["restartCount"] == 1 && status["ready"] == true
        })
    })
    .await;
    terminal.press(b"y\n").await;
    let again = terminal
        .until("second question", |lines| {
            lines.iter().filter(|line| line.contains("Carry out this plan?")).count() == 2
        })
        .await;
    let has = |words: &str| again.iter().any(|line| line.contains(words));
    assert!(has("the cluster has changed while you were asked") && has("node-programming"), "{again:?}");
    terminal.press(b"n\n").await;
    assert_eq!(terminal.end().await, Some(1));
    let written = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    assert!(written.is_empty(), "{}", written.summary());
}

#[tokio::test]
async fn an_uninstall_asks_for_the_name_of_the_release_and_takes_no_other_word() {
    let bed = installed().await;
    let folder = tempfile::TempDir::new().unwrap();
    let uninstall = || Mizar::on(&bed).args("uninstall --export").arg(folder.path().join("mizar.yaml"));
    let mark = bed.mark().await.unwrap();
    let mut terminal = Terminal::start(uninstall(), 60, 200);
    terminal.shows("type the name of the release, mizar:").await;
    terminal.press(b"yes\r").await;
    assert_eq!(terminal.end().await, Some(3));
    let changed = changes(&bed.audit_since(mark).await.unwrap().agent("kubectl-mizar/"));
    assert!(changed.is_empty(), "{}", changed.summary());
    let mut terminal = Terminal::start(uninstall(), 60, 200);
    terminal.shows("type the name of the release, mizar:").await;
    terminal.press(b"mizar\r").await;
    assert_eq!(terminal.end().await, Some(0));
}
