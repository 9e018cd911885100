//! A bug of ours, said in a way that a person can act on.

/// Replaces Rust's panic text.
pub(crate) fn install() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
        let payload = panic.payload();
        let text =
            payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let text = text.unwrap_or("unknown reason");
        super::note(&format!("error: this is a bug in kubectl-mizar{place}: {text}"));
        super::note("hint: nothing more is done; run the same command again to go on, and please report this line");
        super::leave_after_panic();
    }));
}
