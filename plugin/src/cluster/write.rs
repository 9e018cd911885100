//! Changing a cluster: the only file that does.

use http::Method;
use mizar_core::object::{Object, ObjectRef};
use serde_json::{Value, json};

use super::path::object;
use super::{ApiFailure, Call, Cause, Cluster};

/// What an apply came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// The request made the object.
    Created,
    /// The object existed.
    Existed,
}

/// Whether a write is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commit {
    /// Stored.
    Store,
    /// Checked by the server and thrown away.
    DryRun,
}

/// What became of an eviction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// The pod ends.
    Asked,
    /// That pod is gone already.
    Gone,
    /// A disruption budget does not allow it now; what the server says of it.
    Withheld(String),
}

const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";
const JSON: &str = "application/json";

impl Cluster {
    /// Applies an object server-side as `manager`, never by force.
    pub(crate) async fn apply(
        &self,
        wanted: &Object,
        manager: &str,
        commit: Commit,
    ) -> Result<(Applied, Value), ApiFailure> {
        let reference = wanted.reference();
        let what = format!("apply {reference}");
        let path = object(&reference).ok_or_else(|| self.unknown_kind(&what))?;
        let dry = if commit == Commit::DryRun { "&dryRun=All" } else { "" };
        let uri = format!("{path}?fieldManager={manager}&force=false&fieldValidation=Strict{dry}");
        let mut call = Call::with_json(Method::PATCH, uri, what, APPLY, wanted.value());
        call.idempotent = true;
        let (status, value) = self.send_for_status(&call).await?;
        Ok((if status == 201 { Applied::Created } else { Applied::Existed }, value))
    }

    /// Creates an object; [`Cause::AlreadyExists`] if there is one of its name.
    pub(crate) async fn create(&self, wanted: &Object, manager: &str, commit: Commit) -> Result<Value, ApiFailure> {
        let reference = wanted.reference();
        let what = format!("create {reference}");
        let kind = mizar_core::kind::lookup(&reference.api_version, &reference.kind)
            .ok_or_else(|| self.unknown_kind(&what))?;
        let dry = if commit == Commit::DryRun { "&dryRun=All" } else { "" };
        let uri = format!("{}?fieldManager={manager}{dry}", kind.collection_path(reference.namespace.as_deref()));
        let call = Call::with_json(Method::POST, uri, what.clone(), JSON, wanted.value());
        match self.send(&call).await {
            Err(lost) if nobody_knows(&lost) && commit == Commit::Store => {
                let path = object(&reference).ok_or_else(|| self.unknown_kind(&what))?;
                match self.send(&Call::get(path, what)).await {
                    // It was created; what somebody else has created under its name is another one.
                    Ok(live) if is_content_of(&live, wanted.value()) => Ok(live),
                    Ok(_) => Err(ApiFailure { cause: Cause::AlreadyExists, ..lost }),
                    // One of the two is refused if both arrive.
                    Err(failure) if failure.is_not_found() => self.send(&call).await,
                    Err(_) => Err(lost),
                }
            }
            answer => answer,
        }
    }

    /// Replaces an object as a whole; its resourceVersion must be the stored one.
    pub(crate) async fn replace(
        &self,
        wanted: &Object,
        manager: &str,
        phase: Option<&'static str>,
    ) -> Result<Value, ApiFailure> {
        let reference = wanted.reference();
        let what = format!("update {reference}");
        let path = object(&reference).ok_or_else(|| self.unknown_kind(&what))?;
        let uri = format!("{path}?fieldManager={manager}");
        let mut call = Call::with_json(Method::PUT, uri, what.clone(), JSON, wanted.value());
        call.phase = phase;
        match self.send(&call).await {
            Err(lost) if nobody_knows(&lost) => {
                let mut look = Call::get(path, what);
                look.phase = phase;
                let live = self.send(&look).await.map_err(|_| lost)?;
                // It was replaced, or can be: its resourceVersion lets nobody replace what somebody else wrote.
                if is_content_of(&live, wanted.value()) { Ok(live) } else { self.send(&call).await }
            }
            answer => answer,
        }
    }

    /// Changes an object by a JSON patch, which carries its own preconditions.
    pub(crate) async fn json_patch(&self, target: &ObjectRef, patch: &Value) -> Result<Value, ApiFailure> {
        self.patch(target, JSON_PATCH, patch, Commit::Store).await
    }

    /// Changes an object by a merge patch.
    pub(crate) async fn merge_patch(
        &self,
        target: &ObjectRef,
        patch: &Value,
        commit: Commit,
    ) -> Result<Value, ApiFailure> {
        self.patch(target, MERGE, patch, commit).await
    }

    async fn patch(
        &self,
        target: &ObjectRef,
        content_type: &'static str,
        body: &Value,
        commit: Commit,
    ) -> Result<Value, ApiFailure> {
        let what = format!("change {target}");
        let path = object(target).ok_or_else(|| self.unknown_kind(&what))?;
        let dry = if commit == Commit::DryRun { "?dryRun=All" } else { "" };
        self.send(&Call::with_json(Method::PATCH, format!("{path}{dry}"), what, content_type, body)).await
    }

    /// Deletes the object with this UID, and no successor of the same name.
    pub(crate) async fn delete(&self, target: &ObjectRef, uid: &str) -> Result<(), ApiFailure> {
        self.delete_on(target, &json!({"uid": uid}), None).await
    }

    /// Deletes the object with this UID, and what belongs to it after it: Jobs leave their pods behind otherwise.
    pub(crate) async fn delete_with_dependents(&self, target: &ObjectRef, uid: &str) -> Result<(), ApiFailure> {
        self.delete_on(target, &json!({"uid": uid}), Some("Background")).await
    }

    /// Deletes the object with this UID if nobody has changed it since it had this version.
    pub(crate) async fn delete_as_seen(&self, target: &ObjectRef, uid: &str, version: &str) -> Result<(), ApiFailure> {
        self.delete_on(target, &json!({"uid": uid, "resourceVersion": version}), None).await
    }

    /// Asks for the eviction of this very pod, as its disruption budgets allow; servers before 1.22 know the older version only.
    pub(crate) async fn evict(
        &self,
        pod: &ObjectRef,
        uid: &str,
        grace_period: Option<u32>,
    ) -> Result<Eviction, ApiFailure> {
        for version in ["policy/v1", "policy/v1beta1"] {
            let what = format!("evict {pod}");
            let path = object(pod).ok_or_else(|| self.unknown_kind(&what))?;
            let mut options = json!({"preconditions": {"uid": uid}});
            if let Some(seconds) = grace_period {
                options["gracePeriodSeconds"] = json!(seconds);
            }
            let eviction = json!({"apiVersion": version, "kind": "Eviction", "deleteOptions": options,
                "metadata": {"name": pod.name, "namespace": pod.namespace}});
            let mut call = Call::with_json(Method::POST, format!("{path}/eviction"), what, JSON, &eviction);
            // It names this very pod: asked twice, it goes once.
            call.idempotent = true;
            match self.send(&call).await {
                Ok(_) => return Ok(Eviction::Asked),
                Err(failure) if failure.is_not_found() => return Ok(Eviction::Gone),
                // Another pod has its name by now.
                Err(failure) if matches!(failure.cause, Cause::Conflict { .. }) => return Ok(Eviction::Gone),
                Err(ApiFailure { cause: Cause::Budget(message), .. }) => return Ok(Eviction::Withheld(message)),
                Err(failure) if version == "policy/v1" && is_unknown_version(&failure) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(Eviction::Asked)
    }

    async fn delete_on(
        &self,
        target: &ObjectRef,
        preconditions: &Value,
        propagation: Option<&str>,
    ) -> Result<(), ApiFailure> {
        let what = format!("delete {target}");
        let path = object(target).ok_or_else(|| self.unknown_kind(&what))?;
        let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions});
        if let Some(propagation) = propagation {
            options["propagationPolicy"] = propagation.into();
        }
        let mut call = Call::with_json(Method::DELETE, path, what, JSON, &options);
        // It names this very object: asked twice, it goes once.
        call.idempotent = true;
        match self.send(&call).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.cause == Cause::NotFound => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

/// Whether a server knows no such version of an eviction.
fn is_unknown_version(failure: &ApiFailure) -> bool {
    matches!(&failure.cause, Cause::Invalid(message) if message.contains("policy/v1"))
}

/// Whether the request may have been carried out all the same.
fn nobody_knows(failure: &ApiFailure) -> bool {
    matches!(failure.cause, Cause::Lost(_) | Cause::TimedOut { .. } | Cause::Busy { .. })
}

/// Whether an object holds what was wanted, its metadata apart.
fn is_content_of(live: &Value, wanted: &Value) -> bool {
    let mut fields = wanted.as_object().into_iter().flatten();
    fields.all(|(name, value)| name == "metadata" || live.get(name) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_known_again_by_all_that_was_wanted_of_it() {
        let wanted = json!({"kind": "Secret", "metadata": {"resourceVersion": "1"}, "data": {"a": "MQ=="}});
        let mut live = json!({"kind": "Secret", "metadata": {"resourceVersion": "2"}, "data": {"a": "MQ=="}});
        assert!(is_content_of(&live, &wanted));
        live["data"]["a"] = json!("Mg==");
        assert!(!is_content_of(&live, &wanted), "somebody else has written it");
        assert!(!is_content_of(&json!({}), &wanted));
    }
}
