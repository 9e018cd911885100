//! `--history-max`, as Helm has it.

use clap::Args;
use mizar_core::release::history::DEFAULT_LIMIT;

use crate::failure::{Failure, Kind};
use crate::settings::{self, MAX_HISTORY};

#[derive(Debug, Clone, Args)]
pub(crate) struct HistoryMaxArgs {
    /// How many revisions of each release to keep; 0 keeps all [default: 10, or what HELM_MAX_HISTORY says]
    #[arg(long, value_name = "N")]
    history_max: Option<usize>,
}

impl HistoryMaxArgs {
    /// The limit: of the flag, or else of the variable, or else Helm's own.
    pub(crate) fn limit(&self) -> Result<usize, Failure> {
        limit(self.history_max, settings::max_history())
    }
}

fn limit(flag: Option<usize>, variable: Option<String>) -> Result<usize, Failure> {
    match (flag, variable.filter(|text| !text.is_empty())) {
        (Some(limit), _) => Ok(limit),
        (None, None) => Ok(DEFAULT_LIMIT),
        // Helm would take its default without a word, and delete what was to be kept.
        (None, Some(text)) => text.parse().map_err(|_| {
            Failure::new(Kind::Usage, format!("{MAX_HISTORY} is {text:?}, which is no number of revisions"))
                .hint("write it like 10, or 0 to keep all; or name it: --history-max 10")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_over_the_variable_and_that_over_helms_default() {
        let variable = |text: &str| Some(text.to_owned());
        assert_eq!(limit(Some(3), variable("5")).ok(), Some(3));
        assert_eq!(limit(None, variable("0")).ok(), Some(0));
        assert_eq!(limit(None, variable("")).ok(), Some(10));
        assert_eq!(limit(None, None).ok(), Some(10));
        let refused = limit(None, variable("ten")).unwrap_err();
        assert_eq!((refused.kind, refused.message.contains("HELM_MAX_HISTORY is \"ten\"")), (Kind::Usage, true));
    }
}
