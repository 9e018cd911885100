//! Ctrl-C or a plain kill: the first one asks to stop at the next safe place, which is here and now as long as nothing is
//! changed; the second one ends the process at once.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// Whether a person asked to stop.
pub(crate) struct Interrupt {
    asked: watch::Receiver<bool>,
    /// Whether changes may have begun. Who leaves at once holds it until the process has ended, so that none begins meanwhile.
    changes: Arc<Mutex<bool>>,
}

impl Interrupt {
    /// Starts to listen. As long as nothing is changed, the first Ctrl-C ends the process at once, after `farewell`.
    pub(crate) fn new(farewell: impl FnOnce() + Send + 'static) -> Self {
        let (say, asked) = watch::channel(false);
        let changes = Arc::new(Mutex::new(false));
        let begun = changes.clone();
        tokio::spawn(async move {
            told_to_stop().await;
            leave_unless(&begun, farewell);
            say.send_replace(true);
            crate::report::note("stopping after what is under way; press Ctrl-C again to leave at once");
            told_to_stop().await;
            crate::report::leave_now();
        });
        Self { asked, changes }
    }

    /// From now on Ctrl-C waits for a safe place to stop.
    pub(crate) fn changes_begin(&self) {
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Ends when a person has asked to stop.
    pub(crate) async fn asked(&self) {
        let mut asked = self.asked.clone();
        if asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Ends the process unless changes have begun.
fn leave_unless(begun: &Mutex<bool>, farewell: impl FnOnce()) {
    let begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
    if !*begun {
        farewell();
        crate::report::leave_now();
    }
}

/// Ends at the next Ctrl-C or SIGTERM; never where the platform has no signals.
pub(crate) async fn told_to_stop() {
    let by_keyboard = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = by_keyboard => {}
        () = by_kill() => {}
    }
}

#[cfg(unix)]
async fn by_kill() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminations) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    if terminations.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}

#[cfg(not(unix))]
async fn by_kill() {
    std::future::pending().await
}
