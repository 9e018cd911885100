//! Whether we may do what an uninstall does, asked before the first change: one that is refused half-way leaves a cluster
//! without a network and with objects that cannot be deleted.

use mizar_core::check::access;
use mizar_core::facts::{Fetched, Plan, Source};
use mizar_core::object::ObjectRef;
use mizar_core::uninstall::{Extent, needs};

use super::Uninstall;
use crate::failure::{Failure, Kind};
use crate::flow::gather::{Wanted, gather};

impl Uninstall {
    /// Fails, with all that is missing, if the server says that something is not allowed.
    pub(super) async fn refuse_missing_rights(&self, namespace: &str, objects: &[ObjectRef]) -> Result<(), Failure> {
        let mut objects = objects.to_vec();
        if self.request.crds {
            let named = |api_version: &str, kind: &str, name: String| ObjectRef {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                namespace: None,
                name,
            };
            objects.push(named("v1", "Namespace", namespace.to_owned()));
            objects.extend(mizar_core::uninstall::custom_kinds().map(|kind| {
                let name = format!("{}.{}", kind.plural, kind.group);
                named("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
            }));
        }
        let extent =
            Extent { namespace, home: namespace, crds: self.request.crds, cleans_nodes: !self.request.keep_node_state };
        let needs = needs(extent, &objects);
        let wanted = Wanted {
            sources: &[Source::Permissions],
            namespaces: access::namespaces_of(&needs),
            plan: Some(Plan { needs: needs.clone(), ..Plan::default() }),
            ..Wanted::default()
        };
        let facts = gather(self.run.cluster(), wanted).await?.facts;
        let Fetched::Known(permissions) = &facts.permissions else { return Ok(()) };
        let missing = access::refused(permissions, &needs);
        if missing.is_empty() {
            return Ok(());
        }
        let message = "you are not allowed to do what an uninstall does; nothing was changed";
        let failure = missing.iter().fold(Failure::new(Kind::Unreachable, message), |failure, need| {
            failure.detail(format!("you may not {}, which is needed {}", need.right, need.purpose))
        });
        Err(failure
            .hint("what an uninstall needs is in the role docs/rbac/uninstaller.yaml")
            .hint("see what you may do: kubectl auth can-i --list"))
    }
}
