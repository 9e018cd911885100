//! The images of a rendered set: which there are, who uses them, and whether they are pinned by digest. Nothing is
//! pulled or asked of a registry here.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use crate::object::{Object, ObjectRef};

/// An image name in its parts, with the defaults filled in that container runtimes fill in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageReference {
    /// `docker.io` if none is written.
    pub registry: String,
    /// `mizarnet/mizar`.
    pub repository: String,
    /// The tag; none if none is written, which means `latest` unless there is a digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// `sha256:…`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// An image and everything that uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// As it is written in the objects.
    pub name: String,
    /// In its parts.
    pub reference: ImageReference,
    /// Who uses it, in the order of the objects.
    pub used_by: Vec<ImageUse>,
}

/// One container that uses an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageUse {
    /// The object with the pod template.
    pub object: ObjectRef,
    /// The container in it.
    pub container: String,
}

/// Why an image name cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("image `{image}` of container {container} in {object} is not a valid name: {why}")]
pub struct ImageError {
    /// The object with the pod template.
    pub object: ObjectRef,
    /// The container in it.
    pub container: String,
    /// As it is written.
    pub image: String,
    /// What is wrong.
    pub why: ReferenceError,
}

/// What is wrong with an image name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReferenceError {
    /// Nothing is written.
    #[error("it is empty")]
    Empty,
    /// The path is not made of lower-case parts.
    #[error("the repository must be lower-case letters, digits and separators")]
    Repository,
    /// The tag has other characters, or too many.
    #[error("the tag must be up to 128 letters, digits, `_`, `.` and `-`")]
    Tag,
    /// The digest is not one.
    #[error("the digest must be `sha256:` and 64 hexadecimal digits")]
    Digest,
}

impl Image {
    /// Whether the name leads to the same bytes for ever.
    #[must_use]
    pub fn pinned(&self) -> bool {
        self.reference.digest.is_some()
    }
}

impl ImageReference {
    /// Takes an image name apart.
    pub fn parse(name: &str) -> Result<Self, ReferenceError> {
        if name.is_empty() {
            return Err(ReferenceError::Empty);
        }
        let (name, digest) = match name.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (name, None),
        };
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(ReferenceError::Digest);
        }
        // A colon before the last slash belongs to a registry's port.
        let (path, tag) = match name.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (name, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(ReferenceError::Tag);
        }
        let (registry, repository) = match path.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest.to_owned()),
            Some(_) => (DEFAULT_REGISTRY, path.to_owned()),
            None => (DEFAULT_REGISTRY, format!("library/{path}")),
        };
        if !repository.split('/').all(is_repository_part) {
            return Err(ReferenceError::Repository);
        }
        Ok(Self {
            registry: registry.to_owned(),
            repository,
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(formatter, "@{digest}"),
            None if self.tag.is_none() => formatter.write_str(":latest"),
            None => Ok(()),
        }
    }
}

/// Returns the images of all pod templates, each once, in the order in which they first appear; or everything that is
/// wrong with their names.
pub fn images<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Result<Vec<Image>, Vec<ImageError>> {
    let mut order: Vec<Image> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut errors = Vec::new();
    for (object, container, name) in objects.into_iter().flat_map(containers) {
        let used_by = ImageUse { object: object.reference(), container };
        if let Some(&place) = places.get(&name) {
            order[place].used_by.push(used_by);
            continue;
        }
        match ImageReference::parse(&name) {
            Ok(reference) => {
                places.insert(name.clone(), order.len());
                order.push(Image { name, reference, used_by: vec![used_by] });
            }
            Err(why) => {
                errors.push(ImageError { object: used_by.object, container: used_by.container, image: name, why });
            }
        }
    }
    if errors.is_empty() { Ok(order) } else { Err(errors) }
}

/// Returns the images that are not pinned by digest.
#[must_use]
pub fn unpinned(images: &[Image]) -> Vec<&Image> {
    images.iter().filter(|image| !image.pinned()).collect()
}

const DEFAULT_REGISTRY: &str = "docker.io";

/// Where the kinds keep their pod specification.
const POD_SPECS: &[&str] = &["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];

fn containers(object: &Object) -> Vec<(&Object, String, String)> {
    let specs: &[&str] = if object.kind() == "Pod" { &["/spec"] } else { POD_SPECS };
    specs
        .iter()
        .filter_map(|path| object.value().pointer(path))
        .flat_map(|spec| ["initContainers", "containers"].map(|list| spec.get(list)))
        .flatten()
        .filter_map(Value::as_array)
        .flatten()
        .map(|container| {
            let text = |key: &str| container.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            (object, text("name"), text("image"))
        })
        .collect()
}

fn is_digest(digest: &str) -> bool {
    digest
        .strip_prefix("sha256:")
        .is_some_and(|hash| hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

fn is_tag(tag: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    !tag.is_empty() && tag.len() <= 128 && tag.bytes().all(allowed) && !tag.starts_with(['.', '-'])
}

fn is_repository_part(part: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    bytes.first().copied().is_some_and(alphanumeric)
        && bytes.last().copied().is_some_and(alphanumeric)
        && bytes.iter().all(|&byte| alphanumeric(byte) || matches!(byte, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn object(value: Value) -> Object {
        Object::new(value).unwrap()
    }

    fn daemon(image: &str) -> Object {
        object(json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "mizar-daemon", "namespace": "n"},
            "spec": {"template": {"spec": {
                "initContainers": [{"name": "node-init", "image": "mizarnet/mizar:0.91"}],
                "containers": [{"name": "mizar-daemon", "image": image}],
            }}},
        }))
    }

    #[test]
    fn names_are_completed_as_container_runtimes_do() {
        let full = |name: &str| ImageReference::parse(name).unwrap().to_string();
        assert_eq!(full("busybox"), "docker.io/library/busybox:latest");
        assert_eq!(full("mizarnet/mizar:0.91"), "docker.io/mizarnet/mizar:0.91");
        assert_eq!(full("localhost:5000/a/b"), "localhost:5000/a/b:latest");
        assert_eq!(full("ghcr.io/x/y:1.0"), "ghcr.io/x/y:1.0");
        assert_eq!(full(&format!("mizarnet/mizar@{DIGEST}")), format!("docker.io/mizarnet/mizar@{DIGEST}"));
        let both = ImageReference::parse(&format!("mizarnet/mizar:0.91@{DIGEST}")).unwrap();
        assert_eq!((both.tag.as_deref(), both.digest.as_deref()), (Some("0.91"), Some(DIGEST)));
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_part_that_is_wrong() {
        assert_eq!(ImageReference::parse(""), Err(ReferenceError::Empty));
        assert_eq!(ImageReference::parse("Mizarnet/mizar"), Err(ReferenceError::Repository));
        assert_eq!(ImageReference::parse("a//b"), Err(ReferenceError::Repository));
        assert_eq!(ImageReference::parse("a/b:"), Err(ReferenceError::Tag));
        assert_eq!(ImageReference::parse("a/b:x y"), Err(ReferenceError::Tag));
        assert_eq!(ImageReference::parse("a/b@sha256:123"), Err(ReferenceError::Digest));
    }

    #[test]
    fn images_are_listed_once_with_everybody_who_uses_them() {
        let job = object(json!({
            "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "j", "namespace": "n"},
            "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [
                {"name": "c", "image": "mizarnet/mizar:0.91"},
            ]}}}}},
        }));
        let pod = object(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": "busybox"}]},
        }));
        let found = images(&[daemon("mizarnet/dropletd:0.91"), job, pod]).unwrap();
        let names: Vec<_> = found.iter().map(|image| (image.name.as_str(), image.used_by.len())).collect();
        assert_eq!(names, [("mizarnet/mizar:0.91", 2), ("mizarnet/dropletd:0.91", 1), ("busybox", 1)]);
    }

    #[test]
    fn all_bad_names_are_reported_at_once() {
        let errors = images(&[daemon("Bad"), daemon("")]).unwrap_err();
        assert_eq!(errors.len(), 2);
        assert_eq!(
            errors[0].to_string(),
            "image `Bad` of container mizar-daemon in DaemonSet n/mizar-daemon is not a valid name: \
             the repository must be lower-case letters, digits and separators"
        );
    }

    #[test]
    fn only_a_digest_pins() {
        let found = images(&[daemon(&format!("mizarnet/dropletd@{DIGEST}"))]).unwrap();
        let names: Vec<_> = unpinned(&found).into_iter().map(|image| image.name.as_str()).collect();
        assert_eq!(names, ["mizarnet/mizar:0.91"]);
    }
}
