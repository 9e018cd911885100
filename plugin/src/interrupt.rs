//! Ctrl-C: the first one asks to stop at the next safe place, the second one ends the process at once.

use tokio::sync::watch;

/// Whether a person asked to stop.
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Starts to listen.
    pub(crate) fn new() -> Self {
        let (say, asked) = watch::channel(false);
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_err() {
                // No signals on this platform: keep the channel open, nobody will ever ask.
                return std::future::pending().await;
            }
            say.send_replace(true);
            crate::report::note("stopping after what is under way; press Ctrl-C again to leave at once");
            if tokio::signal::ctrl_c().await.is_ok() {
                crate::report::leave_now();
            }
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
