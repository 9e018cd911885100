//! Secrets by the names that people give them.

use serde_json::Value;

/// A name that holds one of these, whatever stands between its letters, is that of a secret.
const STEMS: [&str; 18] = [
    "password",
    "passwd",
    "passphrase",
    "token",
    "secret",
    "credential",
    "authorization",
    "cookie",
    "apikey",
    "accesskey",
    "privatekey",
    "clientkey",
    "sshkey",
    "keydata",
    "certificatedata",
    "clientcertificate",
    "dockerconfig",
    "kubeconfig",
];

/// A name that is one of these, too, but for numbers: so many may pass.
const NAMES: [&str; 4] = ["pwd", "pass", "auth", "bearer"];

/// A name that ends so tells which Secret is meant, or how a token is made, and not what it is.
const REFERENCES: [&str; 9] = [
    "secretname",
    "secretnames",
    "secretref",
    "secretkeyref",
    "secretnamespace",
    "pullsecrets",
    "existingsecret",
    "serviceaccounttoken",
    "tokenexpirationseconds",
];

/// All that a volume says of the Secret that it is made of.
const OF_A_VOLUME: [&str; 5] = ["defaultMode", "items", "name", "optional", "secretName"];

/// Whether what stands under this name is secret. Yes and no tell nothing; a list of `secrets` holds their names, and so does a
/// volume.
pub(super) fn is_secret(name: &str, value: &Value) -> bool {
    let is_reference = || match value {
        Value::Array(_) => name == "secrets",
        Value::Object(fields) => name == "secret" && fields.keys().all(|key| OF_A_VOLUME.contains(&key.as_str())),
        _ => false,
    };
    let is_count = || value.is_number() && NAMES.contains(&letters_of(name).as_str());
    !value.is_boolean() && is_secret_name(name) && !is_reference() && !is_count()
}

/// Whether this is the name of a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let letters = letters_of(name);
    if REFERENCES.iter().any(|reference| letters.ends_with(reference)) {
        return false;
    }
    NAMES.contains(&letters.as_str()) || STEMS.iter().any(|stem| letters.contains(stem))
}

/// A name without what stands between its letters.
fn letters_of(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Whether the word after this one on a command line is a secret: `--token`.
pub(super) fn is_secret_flag(word: &str) -> bool {
    word.starts_with('-') && !word.contains('=') && is_secret_name(word)
}

/// Whether a value is as long and as mixed as only something made by a machine is. Paths, images, addresses and numbers are not.
pub(super) fn looks_like_a_token(value: &str) -> bool {
    const SHORTEST: usize = 20;
    const SHORTEST_HEX: usize = 32;
    let is_hex = value.len() >= SHORTEST_HEX && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte);
    let has = |kind: fn(&u8) -> bool| value.bytes().any(|byte| kind(&byte));
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    is_hex || value.len() >= SHORTEST && !value.starts_with('/') && value.bytes().all(alphabet) && is_mixed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_known_by_their_names_however_they_are_written() {
        for name in [
            "password",
            "Password",
            "DB_PASSWORD",
            "dbPassword",
            "passwd",
            "token",
            "authToken",
            "bearer-token",
            "secret",
            "clientSecret",
            "credentials",
            "apiKey",
            "API_KEY",
            "aws_access_key_id",
            "privateKey",
            "client-key-data",
            "client-certificate-data",
            ".dockerconfigjson",
            "authorization",
            "pwd",
            "auth",
            "Set-Cookie",
            "kubeconfig",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "name",
            "key",
            "path",
            "image",
            "secretName",
            "secretKeyRef",
            "nodePublishSecretRef",
            "imagePullSecrets",
            "serviceAccountToken",
            "automountServiceAccountToken",
            "tokenExpirationSeconds",
            "author",
            "passed",
            "bypass",
            "topologyKey",
            "certificate",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn lists_of_secrets_are_names_and_maps_are_not() {
        assert!(!is_secret("secrets", &json!([{"name": "a"}])));
        assert!(is_secret("secrets", &json!({"db": "x"})));
        assert!(!is_secret("useToken", &json!(true)));
        assert!(!is_secret("secret", &json!({"secretName": "a", "items": [], "defaultMode": 420})));
        assert!(is_secret("secret", &json!({"user": "a"})));
        assert!(!is_secret("pass", &json!(7)) && is_secret("pass", &json!("x")) && is_secret("password", &json!(7)));
    }

    #[test]
    fn tokens_are_told_from_what_people_write() {
        for token in ["aB3dE5gH7jK9mN1pQ3sT5", "0123456789abcdef0123456789abcdef", "dGhpcyBpcyBhIHRva2VuMTIz+/==Aa"] {
            assert!(looks_like_a_token(token), "{token}");
        }
        for plain in [
            "true",
            "50051",
            "mizar-system",
            "docker.io/mizarnet/mizard:1.2.3",
            "/var/run/secrets/Kubernetes.io1",
            "https://10.0.0.1:6443",
            "node-1.example.com",
            "a-very-long-name-in-small-letters-with-1-digit",
        ] {
            assert!(!looks_like_a_token(plain), "{plain}");
        }
    }
}
