//! Addresses of resources: `/apis/apps/v1/namespaces/x/daemonsets/y`.

use mizar_core::kind::{self, KindInfo};
use mizar_core::object::ObjectRef;

/// The path of a collection, over all namespaces when `namespace` is none.
pub fn collection(kind: &KindInfo, namespace: Option<&str>) -> String {
    let root = if kind.group.is_empty() {
        format!("/api/{}", kind.version)
    } else {
        format!("/apis/{}/{}", kind.group, kind.version)
    };
    match namespace {
        Some(namespace) if kind.namespaced => format!("{root}/namespaces/{namespace}/{}", kind.plural),
        _ => format!("{root}/{}", kind.plural),
    }
}

/// The path of one object, or none for a kind that our table lacks.
pub fn object(reference: &ObjectRef) -> Option<String> {
    let kind = kind::lookup(&reference.api_version, &reference.kind)?;
    Some(format!("{}/{}", collection(&kind, reference.namespace.as_deref()), reference.name))
}

/// Escapes a query value; selectors hold `=`, `,` and `!`.
pub fn query_value(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.push(char::from(b"0123456789ABCDEF"[usize::from(byte >> 4)]));
            escaped.push(char::from(b"0123456789ABCDEF"[usize::from(byte & 15)]));
        }
        escaped
    })
}
