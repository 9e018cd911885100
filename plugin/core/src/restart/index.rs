//! Pods and their Endpoints find each other by names: indices, so that tens of thousands take little time.

use std::collections::BTreeMap;

use crate::facts::{EndpointFact, Facts, PodFact, Text};

/// Pods by what an Endpoint tells of its own.
pub(super) struct PodsByName<'a>(BTreeMap<Text, Vec<&'a PodFact>>);

impl<'a> PodsByName<'a> {
    pub(super) fn of(facts: &'a Facts) -> Self {
        let mut by_name: BTreeMap<Text, Vec<&'a PodFact>> = BTreeMap::new();
        for pod in facts.pods.items() {
            by_name.entry(pod.name).or_default().push(pod);
        }
        Self(by_name)
    }

    /// Returns the pod of an Endpoint, if it is there.
    pub(super) fn of_endpoint(&self, endpoint: &EndpointFact) -> Option<&'a PodFact> {
        let named = self.0.get(&endpoint.pod)?;
        named.iter().copied().find(|pod| endpoint.belongs_to(&pod.namespace, &pod.name))
    }
}

/// Endpoints by the pod that they tell of.
pub(super) struct EndpointsByPod<'a>(BTreeMap<Text, Vec<&'a EndpointFact>>);

impl<'a> EndpointsByPod<'a> {
    pub(super) fn of(facts: &'a Facts) -> Self {
        let mut by_pod: BTreeMap<Text, Vec<&'a EndpointFact>> = BTreeMap::new();
        for endpoint in facts.endpoints.items().iter().filter(|endpoint| !endpoint.pod.is_empty()) {
            by_pod.entry(endpoint.pod).or_default().push(endpoint);
        }
        Self(by_pod)
    }

    /// Returns the Endpoints of a pod.
    pub(super) fn of_pod(&self, pod: &PodFact) -> impl Iterator<Item = &'a EndpointFact> {
        let named = self.0.get(&pod.name).map(Vec::as_slice).unwrap_or_default();
        named.iter().copied().filter(|endpoint| endpoint.belongs_to(&pod.namespace, &pod.name))
    }
}
