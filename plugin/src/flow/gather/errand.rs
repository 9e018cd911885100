//! The lists that are to be read: those of the sources, and one for each further kind of the wanted objects.

use std::collections::BTreeMap;

use mizar_core::facts::{Request, Source, Unread};
use mizar_core::kind;
use mizar_core::object::ObjectRef;

use crate::cluster::read::Listing;

/// One list, and what it is for.
#[derive(Debug)]
pub(super) struct Errand {
    path: String,
    labels: &'static str,
    fields: &'static str,
    page_limit: u32,
    metadata_only: bool,
    /// What it is, `pods`.
    pub(super) noun: String,
    /// The source of facts, if it is one.
    pub(super) source: Option<Source>,
    /// API version and kind of the items, which lists leave out, where some of them are to be kept whole.
    pub(super) kept: Option<(String, &'static str)>,
}

impl Errand {
    /// How it is asked for.
    pub(super) fn listing(&self) -> Listing<'_> {
        Listing {
            path: &self.path,
            noun: &self.noun,
            labels: self.labels,
            fields: self.fields,
            page_limit: self.page_limit,
            metadata_only: self.metadata_only,
        }
    }

    /// The same list where older servers have it, if they have it elsewhere.
    pub(super) fn older(&self) -> Option<Self> {
        let path = self.source?.older_path()?;
        Some(Self { path: path.to_owned(), noun: self.noun.clone(), kept: self.kept.clone(), ..*self })
    }

    /// What of its items can be passed over: nothing, where some of them are kept whole.
    pub(super) fn unread(&self) -> &'static [Unread] {
        match (self.source, &self.kept) {
            (Some(source), None) => source.unread(),
            _ => &[],
        }
    }
}

/// Returns the lists to read; no collection is among them twice.
pub(super) fn errands(sources: &[Source], objects: &[ObjectRef]) -> Vec<Errand> {
    let mut errands: BTreeMap<String, Errand> = BTreeMap::new();
    // Release records are read on their own: they are secrets, of which few people may list all.
    for source in sources.iter().filter(|source| **source != Source::Releases) {
        if let Request::List { path, page_limit, label_selector, field_selector, metadata_only } = source.request() {
            let errand = Errand {
                path: path.to_owned(),
                noun: source.noun().to_owned(),
                labels: label_selector,
                fields: field_selector,
                page_limit,
                metadata_only,
                source: Some(*source),
                kept: None,
            };
            errands.insert(path.to_owned(), errand);
        }
    }
    for object in objects {
        let Some(info) = kind::lookup(&object.api_version, &object.kind) else { continue };
        let everywhere = info.collection_path(None);
        let kept = Some((info.api_version(), info.kind));
        if let Some(errand) = errands.get_mut(&everywhere)
            && errand.labels.is_empty()
            && errand.fields.is_empty()
        {
            errand.kept = kept;
            continue;
        }
        let path = info.collection_path(object.namespace.as_deref());
        errands.entry(path.clone()).or_insert_with(|| Errand {
            path,
            noun: info.plural.to_owned(),
            labels: "",
            fields: "",
            page_limit: 500,
            metadata_only: false,
            source: None,
            kept,
        });
    }
    errands.into_values().collect()
}

#[cfg(test)]
mod tests {
    use mizar_core::check::{Phase, sources_of};

    use super::*;

    #[test]
    fn no_list_is_read_twice_and_no_page_is_larger_than_memory_allows() {
        for phase in [Phase::Preflight, Phase::Health] {
            let sources = sources_of(phase);
            let errands = errands(&sources, &[]);
            // Release records are no errand: they are read where it is known whether we may.
            let lists = sources.iter().filter(|source| source.is_list() && **source != Source::Releases).count();
            assert_eq!(errands.len(), lists, "{phase:?}: two sources read the same list");
            assert!(errands.iter().all(|errand| (1..=500).contains(&errand.page_limit)), "{phase:?}");
        }
    }

    #[test]
    fn a_wanted_object_is_found_in_the_list_that_is_read_anyhow() {
        let set = ObjectRef {
            api_version: "apps/v1".into(),
            kind: "DaemonSet".into(),
            namespace: Some("mizar-system".into()),
            name: "mizar-daemon".into(),
        };
        let errands = errands(&[Source::DaemonSets], &[set]);
        assert_eq!(errands.len(), 1);
        assert_eq!(errands[0].kept, Some(("apps/v1".into(), "DaemonSet")));
        assert!(errands[0].unread().is_empty(), "what is kept is kept whole");
    }
}
