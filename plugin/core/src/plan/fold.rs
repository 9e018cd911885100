//! Takes over the fields that an older Helm set without server-side apply. As long as they belong to the entry
//! `helm`/Update, a field that a new version omits would stay, and a changed one would conflict with ourselves; folding
//! moves them into `helm`/Apply first. It is what client-go's `csaupgrade` does.

use serde_json::{Map, Value, json};

use super::FieldManager;
use super::fields::{entries, text, union};

/// Returns the JSON patch that folds the entries of an older Helm into ours; nothing if there are none. So are the entries of
/// the other `managers`, however they wrote: an object that is taken over had its fields set by them.
///
/// The patch carries the resource version: if the object was written meanwhile the server answers 409 and the caller
/// reads it again and starts over.
#[must_use]
pub fn fold(object: &Value, managers: &[String]) -> Option<Value> {
    let resource_version = object.pointer("/metadata/resourceVersion")?.as_str()?;
    let all = entries(object);
    let old: Vec<&Value> = all.iter().filter(|entry| is_folded(entry, managers)).collect();
    let first_old = *old.first()?;
    // What was written in another version of the API has other fields; the server forgets it with the next write.
    let joined = old
        .iter()
        .filter(|entry| is_helms(entry) || text(entry, "apiVersion") == text(object, "apiVersion"))
        .filter_map(|entry| entry.get("fieldsV1"))
        .fold(Value::Object(Map::new()), |joined, fields| union(&joined, fields));

    let has_apply = all.iter().any(is_applied);
    let mut folded: Vec<Value> = Vec::with_capacity(all.len());
    for entry in all {
        if is_applied(entry) {
            let mut apply = entry.clone();
            apply["fieldsV1"] = union(&entry["fieldsV1"], &joined);
            folded.push(apply);
        } else if !is_folded(entry, managers) {
            folded.push(entry.clone());
        } else if !has_apply && std::ptr::eq(entry, first_old) {
            let mut apply = entry.clone();
            apply["manager"] = json!(FieldManager::Helm.as_str());
            apply["operation"] = json!("Apply");
            apply["apiVersion"] = object["apiVersion"].clone();
            apply["fieldsV1"] = joined.clone();
            if let Some(fields) = apply.as_object_mut() {
                fields.shift_remove("subresource");
            }
            folded.push(apply);
        }
    }
    Some(json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": folded},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version},
    ]))
}

/// Returns the object as it is when its entries are folded.
#[must_use]
pub fn folded(object: &Value, patch: &Value) -> Value {
    let mut object = object.clone();
    if let Some(entries) = patch.pointer("/0/value") {
        object["metadata"]["managedFields"] = entries.clone();
    }
    object
}

fn is_helms(entry: &Value) -> bool {
    text(entry, "manager") == FieldManager::Helm.as_str() && text(entry, "subresource").is_empty()
}

/// The entry that Helm's fields belong to.
fn is_applied(entry: &Value) -> bool {
    is_helms(entry) && text(entry, "operation") == "Apply"
}

fn is_folded(entry: &Value, managers: &[String]) -> bool {
    let of_older_helm = is_helms(entry) && text(entry, "operation") == "Update";
    // `kubectl scale` sets a field of ours by way of a subresource.
    let of_another = managers.iter().any(|manager| text(entry, "manager") == manager)
        && ["", "scale"].contains(&text(entry, "subresource"));
    of_older_helm || of_another
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1",
               "time": "2026-01-01T00:00:00Z", "fieldsV1": fields})
    }

    fn object(entries: &[Value]) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
               "metadata": {"name": "c", "resourceVersion": "42", "managedFields": entries}})
    }

    fn folded(entries: &[Value]) -> Value {
        fold(&object(entries), &[]).unwrap()[0]["value"].clone()
    }

    #[test]
    fn nothing_is_folded_where_no_older_helm_wrote() {
        assert_eq!(fold(&object(&[]), &[]), None);
        assert_eq!(fold(&object(&[entry("helm", "Apply", &json!({"f:data": {}}))]), &[]), None);
        assert_eq!(fold(&object(&[entry("kubectl", "Update", &json!({"f:data": {}}))]), &[]), None);
    }

    #[test]
    fn an_old_entry_becomes_the_applied_one() {
        let old = entry("helm", "Update", &json!({"f:data": {"f:a": {}}}));
        assert_eq!(folded(&[old]), json!([entry("helm", "Apply", &json!({"f:data": {"f:a": {}}}))]));
    }

    #[test]
    fn several_entries_are_joined_and_foreign_ones_stay() {
        let mut status = entry("helm", "Update", &json!({"f:status": {}}));
        status["subresource"] = json!("status");
        let foreign = entry("kube-controller-manager", "Update", &json!({"f:metadata": {}}));
        let result = folded(&[
            entry("helm", "Update", &json!({"f:data": {"f:a": {}}})),
            foreign.clone(),
            entry("helm", "Apply", &json!({"f:data": {"f:b": {}}})),
            status.clone(),
            entry("helm", "Update", &json!({"f:data": {"f:c": {}}})),
        ]);
        let applied = entry("helm", "Apply", &json!({"f:data": {"f:b": {}, "f:a": {}, "f:c": {}}}));
        assert_eq!(result, json!([foreign, applied, status]));
    }

    #[test]
    fn managers_of_an_object_that_is_taken_over_are_joined_and_all_others_stay() {
        let managers = ["kubectl-client-side-apply".to_owned(), "kubectl".to_owned()];
        let mut scale = entry("kubectl", "Update", &json!({"f:spec": {"f:replicas": {}}}));
        scale["subresource"] = json!("scale");
        let mut status = entry("kubectl", "Update", &json!({"f:status": {}}));
        status["subresource"] = json!("status");
        let foreign = entry("ops-tool", "Apply", &json!({"f:data": {"f:b": {}}}));
        let mut ancient = entry("kubectl-client-side-apply", "Update", &json!({"f:old": {}}));
        ancient["apiVersion"] = json!("v1beta1");
        let all = [
            scale,
            entry("kubectl-client-side-apply", "Update", &json!({"f:data": {"f:a": {}}})),
            foreign.clone(),
            ancient,
            status.clone(),
        ];
        let patch = fold(&object(&all), &managers).unwrap();
        let applied = entry("helm", "Apply", &json!({"f:spec": {"f:replicas": {}}, "f:data": {"f:a": {}}}));
        assert_eq!(patch[0]["value"], json!([applied, foreign, status]));
        assert_eq!(super::folded(&object(&all), &patch)["metadata"]["managedFields"], patch[0]["value"]);
        assert_eq!(fold(&object(&all), &[]), None, "nobody else's fields are taken unasked");
    }

    #[test]
    fn the_patch_fails_on_a_newer_object_and_is_needed_only_once() {
        let mut live = object(&[entry("helm", "Update", &json!({"f:data": {}}))]);
        let patch = fold(&live, &[]).unwrap();
        assert_eq!(patch[1], json!({"op": "replace", "path": "/metadata/resourceVersion", "value": "42"}));
        live["metadata"]["managedFields"] = patch[0]["value"].clone();
        assert_eq!(fold(&live, &[]), None);
    }
}
