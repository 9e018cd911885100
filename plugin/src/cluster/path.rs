//! Addresses of resources: `/apis/apps/v1/namespaces/x/daemonsets/y`.

use mizar_core::kind;
use mizar_core::object::ObjectRef;

/// The path of one object, or none for a kind that our table lacks.
pub(crate) fn object(reference: &ObjectRef) -> Option<String> {
    let kind = kind::lookup(&reference.api_version, &reference.kind)?;
    Some(format!("{}/{}", kind.collection_path(reference.namespace.as_deref()), reference.name))
}

/// Escapes a query value; selectors hold `=`, `,` and `!`.
pub(crate) fn query_value(text: &str) -> String {
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
