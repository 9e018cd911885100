//! Ctrl-C or a plain kill: the first one asks to stop at the next safe place, the second one ends the process at once.

use tokio::sync::watch;

/// Whether a person asked to stop.
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Starts to listen.
    pub(crate) fn new() -> Self {
        let (say, asked) = watch::channel(false);
        tokio::spawn(async move {
            told_to_stop().await;
            say.send_replace(true);
            crate::report::note("stopping after what is under way; press Ctrl-C again to leave at once");
            told_to_stop().await;
            crate::report::leave_now();
        });
        Self(asked)
    }

    /// Ends when a person has asked to stop.
    pub(crate) async fn asked(&self) {
        let mut asked = self.0.clone();
        if asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
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
