//! The objects that a record lists. Each document says from which template it came, and the folder of the template says to
//! which stage it belongs.

use thiserror::Error;

use crate::chart::render::{split_documents, stage};
use crate::object::Object;
use crate::plan::StagedObject;
use crate::yaml::{self, DuplicateKeys};

/// Why a recorded manifest cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the recorded manifest cannot be read: {template}: {why}")]
pub struct ManifestError {
    /// The template of the document, as far as that is known.
    template: String,
    /// What is wrong with it.
    why: String,
}

/// Reads the objects of a manifest as Helm or we recorded it.
pub fn staged_objects(manifest: &str) -> Result<Vec<StagedObject>, ManifestError> {
    let mut objects = Vec::new();
    for document in split_documents(manifest) {
        objects.extend(staged(source(document), document)?);
    }
    Ok(objects)
}

/// Reads one document; nothing if it holds comments only.
pub(super) fn staged(template: &str, document: &str) -> Result<Option<StagedObject>, ManifestError> {
    let damaged = |why: String| ManifestError { template: template.to_owned(), why };
    let value = yaml::read(document, DuplicateKeys::TakeLast).map_err(|error| damaged(error.to_string()))?;
    if value.is_null() {
        return Ok(None);
    }
    let object = Object::new(value).map_err(|error| damaged(error.to_string()))?;
    Ok(Some(StagedObject::new(stage(template).as_deref(), object)))
}

/// The template that a document names in its first comment.
fn source(document: &str) -> &str {
    document.lines().find_map(|line| line.strip_prefix("# Source: ")).unwrap_or("a document without a source").trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::StageName;

    const MANIFEST: &str = "---
# Source: mizar/templates/access/account.yaml
apiVersion: v1
kind: ServiceAccount
metadata: {name: one}

---
# Source: mizar/templates/empty.yaml
# nothing is wanted
---
# Source: other/templates/all.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: two
data:
  text: |
    ---
    not a separator
";

    #[test]
    fn documents_become_objects_with_the_stage_of_their_folder_or_kind() {
        let objects = staged_objects(MANIFEST).unwrap();
        let told: Vec<(StageName, &str)> = objects.iter().map(|it| (it.stage, it.object.name())).collect();
        assert_eq!(told, [(StageName::Access, "one"), (StageName::Configuration, "two")]);
        assert_eq!(objects[1].object.value()["data"]["text"], "---\nnot a separator\n");
        assert!(staged_objects("").unwrap().is_empty());
    }

    #[test]
    fn a_document_that_is_no_object_is_named_by_its_template() {
        let error = staged_objects("---\n# Source: mizar/templates/a.yaml\nkind: Pod\n").unwrap_err().to_string();
        assert!(error.starts_with("the recorded manifest cannot be read: mizar/templates/a.yaml: "), "{error}");
    }
}
