//! Pods and their Endpoints find each other by names: indices, so that tens of thousands take little time.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::{EndpointFact, Facts, PodFact, Text};

/// Pods by name; an Endpoint names its pod without the namespace. Hardly any two pods have the same name, so that a list
/// for every name would be a waste.
pub(crate) struct PodsByName<'a> {
    by_name: HashMap<Text, &'a PodFact>,
    namesakes: HashMap<Text, Vec<&'a PodFact>>,
}

impl<'a> PodsByName<'a> {
    pub(crate) fn of(facts: &'a Facts) -> Self {
        let pods = facts.pods.items();
        let mut by_name: HashMap<Text, &PodFact> = HashMap::with_capacity(pods.len());
        let mut namesakes: HashMap<Text, Vec<&PodFact>> = HashMap::new();
        for pod in pods {
            match by_name.entry(pod.name) {
                Entry::Vacant(free) => _ = free.insert(pod),
                Entry::Occupied(_) => namesakes.entry(pod.name).or_default().push(pod),
            }
        }
        Self { by_name, namesakes }
    }

    /// Returns the pod of an Endpoint, if there is one.
    pub(crate) fn of_endpoint(&self, endpoint: &EndpointFact) -> Option<&'a PodFact> {
        let first = self.by_name.get(&endpoint.pod)?;
        let namesakes = self.namesakes.get(&endpoint.pod).into_iter().flatten();
        std::iter::once(first).chain(namesakes).copied().find(|pod| endpoint.belongs_to(&pod.namespace, &pod.name))
    }
}

/// Endpoints by the pod that they tell of.
pub(crate) struct EndpointsByPod<'a>(BTreeMap<Text, Vec<&'a EndpointFact>>);

impl<'a> EndpointsByPod<'a> {
    pub(crate) fn of(facts: &'a Facts) -> Self {
        let mut by_pod: BTreeMap<Text, Vec<&'a EndpointFact>> = BTreeMap::new();
        for endpoint in facts.endpoints.items().iter().filter(|endpoint| !endpoint.pod.is_empty()) {
            by_pod.entry(endpoint.pod).or_default().push(endpoint);
        }
        Self(by_pod)
    }

    /// Returns the Endpoints of a pod.
    pub(crate) fn of_pod(&self, pod: &PodFact) -> impl Iterator<Item = &'a EndpointFact> {
        let named = self.0.get(&pod.name).map(Vec::as_slice).unwrap_or_default();
        named.iter().copied().filter(|endpoint| endpoint.belongs_to(&pod.namespace, &pod.name))
    }
}
