//! What a plan does with the objects of an old installation.

use super::{Action, Change, Marks, OwnObject, Planner, ReleaseInput, StageName, leaving};
use crate::adoption::{self, OLD_BINDING};
use crate::object::{Object, ObjectRef};

impl Planner<'_> {
    /// Says why an object of our own is left as it is, if so. Namespace `default` is everybody's: where daemons run there
    /// already, it needs no label that would let others run privileged pods, too.
    pub(super) fn why_left(&self, own: &OwnObject) -> Option<&'static str> {
        let is_default = own.object.kind() == "Namespace" && own.object.name() == adoption::NAMESPACE;
        let mut live = self.input.live.iter().map(|(_, object)| object);
        let runs_daemons = live.any(|live| live.kind() == "DaemonSet" && live.namespace() == Some(adoption::NAMESPACE));
        (is_default && runs_daemons).then_some("it is everybody's, and the daemons run there already")
    }

    /// Whether a live object is one of an old installation that becomes one of the release now.
    pub(super) fn is_taken_over(&self, live: &Object, release: &ReleaseInput, marks: Marks<'_>) -> bool {
        self.input.adopts && marks.conflict(live).is_some() && adoption::is_old(live, &release.namespace)
    }

    /// The last that goes of an old installation: what made its operator an administrator of the cluster.
    pub(super) fn old_binding(&mut self, release: &ReleaseInput) {
        let is_it = |object: &&Object| object.kind() == "ClusterRoleBinding" && object.name() == OLD_BINDING;
        let wanted: Vec<ObjectRef> = release.objects.iter().map(|staged| staged.object.reference()).collect();
        // The release that has the operator knows what it may do.
        if !wanted.iter().any(|object| object.kind == "Deployment")
            || wanted.iter().any(|it| it.name == OLD_BINDING && it.kind == "ClusterRoleBinding")
        {
            return;
        }
        let Some(live) = self.input.live.iter().map(|(_, object)| object).find(is_it) else { return };
        let action = match adoption::binding_stays(live, &release.namespace, wanted.iter()) {
            Some(why) => Action::Keep { why: why.to_owned() },
            None => Action::Delete,
        };
        let change = Change { takes_over: Some(Vec::new()), ..leaving(live.reference(), live, action) };
        self.add(StageName::Removal, release.site, Some(release), change);
    }
}
