//! `--color`, read before the command line is: help and errors of usage have colours, too.

use std::ffi::OsString;

use clap::ValueEnum as _;

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum When {
    /// On a terminal
    Auto,
    /// In pipes and files, too
    Always,
    /// Nowhere
    Never,
}

/// What was typed, as far as it can be told without reading the whole line.
pub(crate) fn asked_for(arguments: &[OsString]) -> When {
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).take_while(|word| word != "--").collect();
    let apart = words.windows(2).filter(|pair| pair[0] == "--color").map(|pair| pair[1].as_ref());
    let joined = words.iter().filter_map(|word| word.strip_prefix("--color="));
    let named = apart.chain(joined).last();
    named.and_then(|name| When::from_str(name, true).ok()).unwrap_or(When::Auto)
}

impl When {
    /// Whether there are colours; nothing where each stream decides for itself. The flag counts, then `NO_COLOR`, whatever
    /// it is set to.
    pub(crate) fn decided(self) -> Option<bool> {
        match self {
            Self::Always => Some(true),
            Self::Never => Some(false),
            Self::Auto => std::env::var_os("NO_COLOR").map(|_| false),
        }
    }

    /// The same for what clap prints.
    pub(crate) fn of_help(self) -> clap::ColorChoice {
        match self.decided() {
            Some(true) => clap::ColorChoice::Always,
            Some(false) => clap::ColorChoice::Never,
            None => clap::ColorChoice::Auto,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_is_seen_wherever_it_stands() {
        for (line, when) in [
            ("kubectl-mizar check", When::Auto),
            ("kubectl-mizar --color=never check", When::Never),
            ("kubectl-mizar check --color always", When::Always),
            ("kubectl-mizar check --color=purple", When::Auto),
            ("kubectl-mizar check -- --color=never", When::Auto),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(asked_for(&words), when, "{line}");
        }
    }
}
