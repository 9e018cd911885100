//! Whether we may do what a repair does, asked before the first change: one that is refused half-way leaves nodes cordoned.

use mizar_core::check::access;
use mizar_core::facts::{Fetched, Plan, Source};
use mizar_core::repair;

use crate::failure::{Failure, Kind};
use crate::flow::gather::{Wanted, gather};
use crate::flow::run::Run;

/// Fails with every right that the server says is missing. One that does not tell is tried.
pub(crate) async fn refuse_missing(run: &Run) -> Result<(), Failure> {
    let needs = repair::needs(run.namespace());
    let wanted = Wanted {
        sources: &[Source::Permissions],
        namespaces: access::namespaces_of(&needs),
        plan: Some(Plan { needs: needs.clone(), ..Plan::default() }),
        ..Wanted::default()
    };
    let facts = gather(run.cluster(), wanted).await?.facts;
    let Fetched::Known(permissions) = &facts.permissions else { return Ok(()) };
    let missing = access::refused(permissions, &needs);
    if missing.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(Kind::Unreachable, "you are not allowed to do what a repair does; nothing was changed");
    let failure = missing.iter().fold(failure, |failure, need| {
        failure.detail(format!("you may not {}, which is needed {}", need.right, need.purpose))
    });
    Err(failure
        .hint("what a repair needs is in the role docs/rbac/repairer.yaml")
        .hint("see what you may do: kubectl auth can-i --list"))
}
