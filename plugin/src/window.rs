//! The window of the terminal, as far as it has another size than before.

/// Where to hear of another size.
pub(crate) struct Window {
    #[cfg(unix)]
    sizes: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Window {
    /// Starts to listen.
    pub(crate) fn of_terminal() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self { sizes: signal(SignalKind::window_change()).ok() }
    }

    /// Ends when the window has another size; never where nothing tells.
    pub(crate) async fn resized(&mut self) {
        let told = match &mut self.sizes {
            Some(sizes) => sizes.recv().await,
            None => None,
        };
        if told.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
impl Window {
    /// Starts to listen.
    pub(crate) fn of_terminal() -> Self {
        Self {}
    }

    /// Never ends: nothing tells.
    pub(crate) async fn resized(&mut self) {
        std::future::pending::<()>().await;
    }
}
