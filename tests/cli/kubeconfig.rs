//! Kubeconfig files that cannot be used: one line that names file, line, entry and field, a hint, exit code 4, and never
//! the value, which may be a secret.

use crate::fake_server::SelfSigned;
use crate::program::Place;

/// A kubeconfig that works but for what a test puts in: fields of the cluster and of the user.
fn config(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: work\nclusters:\n- name: here\n  cluster:\n{cluster}\nusers:\n\
         - name: me\n  user:\n{user}\ncontexts:\n- name: work\n  context: {{cluster: here, user: me}}\n"
    )
}

const SERVER: &str = "    server: https://127.0.0.1:1";
const SEE_CONFIG: &str = "see what kubectl makes of it: kubectl config view";

#[track_caller]
fn refused(place: &Place, error: &str, hint: &str) {
    let outcome = place.run(&["check", "--kubeconfig", "k"]);
    outcome.fails(4, &format!("error: {error}\nhint: {hint}\n"));
    assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
}

#[track_caller]
fn wrong(text: &str, error: &str, hint: &str) {
    refused(&Place::with("k", text), error, hint);
}

#[test]
fn a_whole_file_that_is_no_kubeconfig() {
    let contexts = "see them: kubectl config get-contexts";
    wrong("", "the kubeconfig has no current context", contexts);
    wrong("hunter2", "kubeconfig k: is no kubeconfig: it holds text, not a mapping", SEE_CONFIG);
    wrong(
        "apiVersion: v2\nkind: Config\n",
        "kubeconfig k, line 1: apiVersion: must be v1: this is no kubeconfig that can be read here",
        SEE_CONFIG,
    );
    wrong(
        "apiVersion: v1\nkind: Pod\n",
        "kubeconfig k, line 2: kind: must be Config: this is no kubeconfig that can be read here",
        SEE_CONFIG,
    );
    wrong("clusters: 7\n", "kubeconfig k, line 1: clusters: must be a list, not a number", SEE_CONFIG);
    refused(&Place::with("k", [0xff, 0x00, 0x80]), "kubeconfig k: is no text", SEE_CONFIG);
    let yaml = Place::with("k", "users:\n- name: me\n  user: {token: [hunter2\n").run(&["check", "--kubeconfig", "k"]);
    assert!(yaml.stderr.starts_with("error: kubeconfig k, line "), "{}", yaml.stderr);
    assert!(yaml.stderr.contains(": is no YAML: ") && !yaml.stderr.contains("hunter2"), "{}", yaml.stderr);
    assert_eq!((yaml.code, yaml.stderr.lines().count()), (4, 2));
}

#[test]
fn what_is_named_must_be_there() {
    let works = config(SERVER, "    token: hunter2");
    wrong(
        &works.replace("current-context: work", "current-context: other"),
        "context \"other\" does not exist in the kubeconfig; there are: work",
        "see them: kubectl config get-contexts",
    );
    for (field, noun, there) in [("cluster: here", "cluster", "here"), ("user: me", "user", "me")] {
        let text =
            works.replace(&format!("{{{field}"), "{cluster: lost").replace(&format!(", {field}}}"), ", user: lost}");
        wrong(
            &text,
            &format!(
                "kubeconfig k, line 14: context \"work\": names the {noun} \"lost\", which does not exist; there are: {there}"
            ),
            SEE_CONFIG,
        );
    }
    let place = Place::with("k", &works);
    for (flag, there, list) in [("--cluster", "here", "get-clusters"), ("--user", "me", "get-users")] {
        place.run(&["check", "--kubeconfig", "k", flag, "lost"]).fails(
            4,
            &format!("error: {flag}: \"lost\" does not exist in the kubeconfig; there are: {there}\nhint: see them: kubectl config {list}\n"),
        );
    }
    let twice = works.replace("users:\n", "users:\n- name: me\n");
    wrong(&twice, "kubeconfig k, line 11: user \"me\": stands twice in users; a name may be there once", SEE_CONFIG);
}

#[test]
fn every_field_of_a_cluster() {
    let url = "write it like https://HOST:PORT";
    let proxy = "write it like http://HOST:PORT or socks5://HOST:PORT";
    let scheme = "is no proxy address: it must start with http://, https:// or socks5://";
    let both =
        "    server: https://127.0.0.1:1\n    insecure-skip-tls-verify: true\n    certificate-authority-data: Q0E=";
    for (cluster, line, field, error, hint) in [
        ("    {}", 6, "", "no server is named", SEE_CONFIG),
        ("    server: 7", 7, ", server", "must be text, not a number: put it in quotes", SEE_CONFIG),
        ("    server: 'https://'", 7, ", server", "is no URL of a server", url),
        ("    server: 'https://h:port'", 7, ", server", "has a port that is no port", url),
        ("    server: 'https://h:99999'", 7, ", server", "has a port that is no port", url),
        ("    server: 'ftp://h'", 7, ", server", "is no URL of a server", url),
        (
            "    server: 'https://me:hunter2@h'",
            7,
            ", server",
            "holds a user name: that belongs into the user of the kubeconfig",
            url,
        ),
        (
            both,
            9,
            ", certificate-authority-data",
            "a certificate authority and insecure-skip-tls-verify exclude each other",
            "remove one of them",
        ),
    ] {
        wrong(
            &config(cluster, "    {}"),
            &format!("kubeconfig k, line {line}: cluster \"here\"{field}: {error}"),
            hint,
        );
    }
    for (field, value, error, hint) in [
        ("insecure-skip-tls-verify", "'yes'", "must be true or false, not text", SEE_CONFIG),
        (
            "certificate-authority",
            "nowhere.pem",
            "cannot read nowhere.pem: No such file or directory (os error 2)",
            SEE_CONFIG,
        ),
        ("certificate-authority", "k", "holds no certificate in PEM form", SEE_CONFIG),
        ("certificate-authority", "empty", "is empty", SEE_CONFIG),
        ("certificate-authority", "/dev/zero", "cannot read /dev/zero: it is no file of at most 4 MiB", SEE_CONFIG),
        ("certificate-authority-data", "'%%%'", "is no base64", SEE_CONFIG),
        ("certificate-authority-data", "aHVudGVyMg==", "holds no certificate in PEM form", SEE_CONFIG),
        ("tls-server-name", "'a b'", "is no host name", SEE_CONFIG),
        ("proxy-url", "'ftp://me:hunter2@proxy'", scheme, proxy),
        ("proxy-url", "proxy:3128", scheme, proxy),
        (
            "proxy-url",
            "'socks5h://me:hunter2@proxy:1080'",
            "names a user: a SOCKS proxy that asks for one cannot be used",
            "use its HTTP port, or one that trusts this machine",
        ),
        ("proxy-url", "'http://'", "is no proxy address: it names no host", proxy),
    ] {
        let text = config(&format!("{SERVER}\n    {field}: {value}"), "    {}");
        let error = format!("kubeconfig k, line 8: cluster \"here\", {field}: {error}");
        refused(&Place::with("k", text).and("empty", ""), &error, hint);
    }
}

#[test]
fn every_field_of_a_user() {
    let token = "log in again, or copy the token without line breaks";
    let gone = "was removed from Kubernetes";
    for (user, line, field, error, hint) in [
        ("    token: 4711", 11, ", token", "must be text, not a number: put it in quotes", SEE_CONFIG),
        ("    token: \"hunter2\\nx\"", 11, ", token", "holds characters that no HTTP header may hold", token),
        ("    token: hünter2", 11, ", token", "holds characters that no HTTP header may hold", token),
        (
            "    tokenFile: nowhere",
            11,
            ", tokenFile",
            "cannot read nowhere: No such file or directory (os error 2)",
            SEE_CONFIG,
        ),
        ("    tokenFile: empty", 11, ", tokenFile", "empty holds no token", SEE_CONFIG),
        ("    tokenFile: lines", 11, ", tokenFile", "holds characters that no HTTP header may hold", token),
        (
            "    token: hunter2\n    username: me",
            12,
            ", username",
            "a token and a user name exclude each other: one way to log in is enough",
            SEE_CONFIG,
        ),
        (
            "    client-certificate: me.pem",
            11,
            ", client-certificate",
            "has no key: client-key is missing",
            "name it: --client-key FILE, or client-key in the kubeconfig",
        ),
        (
            "    client-key: me.key",
            11,
            ", client-key",
            "has no certificate: client-certificate is missing",
            "name it: --client-certificate FILE, or client-certificate in the kubeconfig",
        ),
        (
            "    client-certificate: me.pem\n    client-key: other.key",
            12,
            ", client-key",
            "is not the key of the client certificate",
            SEE_CONFIG,
        ),
        (
            "    client-certificate: me.pem\n    client-key: me.pem",
            12,
            ", client-key",
            "holds no private key in PEM form",
            SEE_CONFIG,
        ),
        (
            "    client-certificate: me.key\n    client-key: me.key",
            11,
            ", client-certificate",
            "holds no certificate in PEM form",
            SEE_CONFIG,
        ),
        (
            "    client-certificate: me.pem\n    client-key: locked.key",
            12,
            ", client-key",
            "is encrypted; neither kubectl nor this plugin can ask for its password",
            SEE_CONFIG,
        ),
        (
            "    client-certificate: me.pem\n    client-key-data: '%%'",
            12,
            ", client-key-data",
            "is no base64",
            SEE_CONFIG,
        ),
        (
            "    auth-provider: {name: gcp}",
            11,
            ", auth-provider",
            &format!("the gcp auth-provider {gone}"),
            "use the plugin: gke-gcloud-auth-plugin, then gcloud container clusters get-credentials CLUSTER",
        ),
        (
            "    auth-provider: {name: azure}",
            11,
            ", auth-provider",
            &format!("the azure auth-provider {gone}"),
            "use the plugin: kubelogin convert-kubeconfig",
        ),
        (
            "    auth-provider: {name: mine}",
            11,
            ", auth-provider",
            "this auth-provider is not known",
            "use a credential plugin: users[].user.exec",
        ),
        ("    auth-provider: {}", 11, ", auth-provider.name", "is missing", SEE_CONFIG),
    ] {
        refused(&place_of(user), &format!("kubeconfig k, line {line}: user \"me\"{field}: {error}"), hint);
    }
}

/// A kubeconfig with this user, and the files that it may name.
fn place_of(user: &str) -> Place {
    let (me, other) = (SelfSigned::of(&["me"], |_| {}), SelfSigned::of(&["me"], |_| {}));
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nhunter2\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let place = Place::with("k", config(SERVER, user)).and("empty", "\n").and("lines", "hunter2\nhunter2\n");
    let place = place.and("me.pem", &me.certificate).and("me.key", &me.key).and("other.key", &other.key);
    place.and("locked.key", locked)
}

#[test]
fn every_field_of_a_credential_plugin() {
    let version = "apiVersion: client.authentication.k8s.io/v1";
    let anew = "write the kubeconfig anew with the newest version of your provider's program";
    let versions = "must be client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1";
    for (exec, field, error, hint) in [
        ("7".to_owned(), "", "must be a mapping, not a number", SEE_CONFIG),
        ("{command: x}".to_owned(), ".apiVersion", "is missing", SEE_CONFIG),
        ("{command: x, apiVersion: client.authentication.k8s.io/v1alpha1}".to_owned(), ".apiVersion", versions, anew),
        (format!("{{{version}, interactiveMode: Never}}"), ".command", "is missing", SEE_CONFIG),
        (
            format!("{{{version}, command: x}}"),
            ".interactiveMode",
            "is missing: Never, IfAvailable or Always",
            SEE_CONFIG,
        ),
        (
            format!("{{{version}, command: x, interactiveMode: Maybe}}"),
            ".interactiveMode",
            "must be Never, IfAvailable or Always",
            SEE_CONFIG,
        ),
        (
            format!("{{{version}, command: x, interactiveMode: Never, env: [{{value: hunter2}}]}}"),
            ".env",
            "each item must have a name",
            SEE_CONFIG,
        ),
        (
            format!("{{{version}, command: x, interactiveMode: Never, args: [1]}}"),
            ".args",
            "each item must be text, not a number: put it in quotes",
            SEE_CONFIG,
        ),
    ] {
        let text = config(SERVER, &format!("    exec: {exec}"));
        wrong(&text, &format!("kubeconfig k, line 11: user \"me\", exec{field}: {error}"), hint);
    }
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let below = Place::with("k/inside", "");
    refused(&below, "kubeconfig k: it is no file of at most 16 MiB", SEE_CONFIG);
    let place = Place::with("k", config(SERVER, "    token: hunter2"));
    std::fs::set_permissions(place.path("k"), std::fs::Permissions::from_mode(0o000)).unwrap();
    // Whoever is root may read everything.
    if std::fs::read(place.path("k")).is_err() {
        refused(&place, "kubeconfig k: Permission denied (os error 13)", SEE_CONFIG);
    }
}
