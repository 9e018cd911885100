//! Asking the server what we ourselves may do. The only requests of a looking command that are not GET.

use http::Method;
use serde_json::{Value, json};

use super::{ApiFailure, Call, Cluster};

impl Cluster {
    /// The rules that hold for us in a namespace, as a SelfSubjectRulesReview with its status.
    pub(crate) async fn review_rules(&self, namespace: &str) -> Result<Value, ApiFailure> {
        let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace}});
        self.review("selfsubjectrulesreviews", &body).await
    }

    /// Sends a SelfSubjectAccessReview and returns it with its status.
    pub(crate) async fn review_access(&self, review: &Value) -> Result<Value, ApiFailure> {
        self.review("selfsubjectaccessreviews", review).await
    }

    async fn review(&self, plural: &str, body: &Value) -> Result<Value, ApiFailure> {
        let uri = format!("/apis/authorization.k8s.io/v1/{plural}");
        let mut call = Call::with_json(Method::POST, uri, "ask for our own rights", "application/json", body);
        call.idempotent = true;
        self.send(&call).await
    }
}
