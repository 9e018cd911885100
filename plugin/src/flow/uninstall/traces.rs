//! What the operator left on objects of others is taken off, object by object, and nothing of anybody else with it.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mizar_core::event::StepResult;
use mizar_core::uninstall::{MARKED_KINDS, Survey, Traced, removal};
use mizar_core::words::counted;

use super::survey::{known, list};
use super::{Uninstall, refused};
use crate::failure::Failure;
use crate::flow::gather::CONCURRENCY;
use crate::flow::treat::{Changed, change_named};

/// An object may come with traces copied from another one while the others are worked on.
const ROUNDS: usize = 4;

impl Uninstall {
    /// Takes them off all, and looks again until there are none.
    pub(super) async fn take_traces_off(&mut self) -> Result<(), Failure> {
        let part = self.part_begins("traces", 0).await?;
        let mut cleaned = 0;
        let mut left = Vec::new();
        for _ in 0..ROUNDS {
            self.refuse_operators().await?;
            left = self.traced().await?;
            if left.is_empty() {
                break;
            }
            let run = &self.run;
            let done: Vec<(String, Changed)> = stream::iter(&left)
                .map(|traced| async move {
                    let changed = change_named(run, &traced.object, removal).await?;
                    Ok::<_, Failure>((traced.object.kind.clone(), changed))
                })
                .buffer_unordered(CONCURRENCY)
                .try_collect()
                .await?;
            for (kind, _) in done.into_iter().filter(|(_, changed)| *changed == Changed::Written) {
                *self.result.traces_removed.entry(kind).or_default() += 1;
                cleaned += 1;
            }
        }
        if let Some(traced) = left.first() {
            return Err(refused(format!(
                "somebody puts finalizers or notes of the operator on again: {}",
                traced.object
            ))
            .hint("is another operator running? kubectl get pods -A -l app=mizar-operator"));
        }
        let (summary, result) = match cleaned {
            0 => ("there is nothing".to_owned(), StepResult::Skipped),
            count => (format!("taken off {}", counted(count, "object")), StepResult::Succeeded),
        };
        self.part_ends(part, summary, result).await;
        Ok(())
    }

    async fn traced(&self) -> Result<Vec<Traced>, Failure> {
        let mut survey = Survey::default();
        for (api_version, kind) in MARKED_KINDS {
            let kind = known(api_version, kind)?;
            for item in list(self.run.cluster(), &kind, None, "", true).await? {
                survey.absorb(&kind, &item);
            }
        }
        Ok(survey.traced)
    }
}
