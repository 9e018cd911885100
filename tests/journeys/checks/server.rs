//! Situations of the program's own side: where it runs, which server it asks, and as whom.

use http::request::Parts;
use mizar_bed::Role;
use serde_json::{Value, json};

use super::situation::Situation;
use super::stage::Stage;
use crate::old_server::OldServer;
use crate::proxy::{Manner, Verdict};

/// Before an install.
pub(crate) fn before() -> Vec<Situation> {
    vec![
        Situation::before("no-kubectl", "nothing called kubectl is in PATH")
            .warns("kubectl", "not in PATH")
            .made_by(async |stage: &mut Stage<'_>| stage.has_kubectl = false),
        Situation::before("server-too-old", "a server of Kubernetes 1.15")
            .fails("cluster-version", "1.15")
            .fails("priority-classes", "v1.15.12")
            .made_by(async |stage: &mut Stage<'_>| stage.behind(Answering(of_1_15)).await),
        Situation::before(
            "server-without-definitions",
            "a server that knows definitions only as v1beta1, as Arktos 0.7",
        )
        .fails("served-apis", "apiextensions.k8s.io/v1")
        .made_by(async |stage: &mut Stage<'_>| stage.behind(Answering(definitions_of_old)).await),
        Situation::before(
            "old-server",
            "a server of the age of Kubernetes 1.15 that leaves major and minor blank: nothing is wrong",
        )
        .made_by(async |stage: &mut Stage<'_>| stage.behind(OldServer).await),
        Situation::before("reader", "by somebody who may read everything and change nothing")
            .fails("access", "create namespaces")
            .made_by(async |stage: &mut Stage<'_>| stage.role = Role::Checker),
        Situation::before("moving-image", "the operator's image is to be :latest")
            .warns("images-pinned", "endpointopr:latest")
            .edited("before", |facts| {
                let images = facts["plan"]["images"].as_array_mut().unwrap();
                let operator = images.iter_mut().find(|image| image.as_str().unwrap().contains("endpointopr"));
                *operator.unwrap() = json!("docker.io/mizarnet/endpointopr:latest");
            }),
    ]
}

/// Of an installed network.
pub(crate) fn after() -> Vec<Situation> {
    vec![
        Situation::after("old-server-installed", "a network on a server of that age: nothing is wrong")
            .lasting(30)
            .made_by(async |stage: &mut Stage<'_>| stage.behind(OldServer).await),
    ]
}

/// A server whose answers are changed on the way.
pub(crate) struct Answering(pub(crate) fn(&str, &mut Value));

impl Manner for Answering {
    fn receive(&self, _request: &mut Parts) -> Verdict {
        Verdict::Forward
    }

    fn rewrite(&self, path: &str, document: &mut Value) {
        (self.0)(path, document);
    }
}

fn of_1_15(path: &str, document: &mut Value) {
    if path == "/version" {
        for (field, says) in [("major", "1"), ("minor", "15"), ("gitVersion", "v1.15.12")] {
            document[field] = json!(says);
        }
    }
}

fn definitions_of_old(_: &str, document: &mut Value) {
    let groups = document.get_mut("groups").and_then(Value::as_array_mut);
    for group in groups.into_iter().flatten().filter(|group| group["name"] == "apiextensions.k8s.io") {
        group["versions"] = json!([{"groupVersion": "apiextensions.k8s.io/v1beta1", "version": "v1beta1"}]);
    }
}
