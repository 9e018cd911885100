//! What a kubeconfig says, what flags change about it, and what is said about a broken one.

use secrecy::ExposeSecret as _;

use super::*;

const FILE: &str = "apiVersion: v1
kind: Config
current-context: work
clusters:
- name: here
  cluster: {server: 'https://h:6443', tls-server-name: api, certificate-authority-data: Q0E=, certificate-authority: ca.pem}
users:
- name: me
  user: {token: first, client-certificate: certs/me.pem, client-key-data: S0VZ}
- name: file
  user: {token: old, tokenFile: token}
- name: basic
  user: {username: me, password: hunter2}
- name: plugin
  user:
    as: boss
    as-groups: [a, b]
    as-user-extra: {scopes: [v, w]}
    exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./bin/login, args: [get], env: [{name: A, value: b}]}
contexts:
- name: work
  context: {cluster: here, user: me}
- name: bare
  context: {cluster: here}
- name: lost
  context: {cluster: here, user: nobody}
";

fn config() -> Kubeconfig {
    parse(FILE, "/home/k/config".as_ref()).unwrap()
}

fn chosen(flags: &Flags) -> Destination {
    choose(&config(), flags).unwrap()
}

fn refused(flags: &Flags) -> String {
    choose(&config(), flags).unwrap_err().to_string()
}

#[expect(clippy::unnecessary_wraps, reason = "as the flags hold it")]
fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

#[test]
fn the_current_context_chooses_cluster_and_user() {
    let destination = chosen(&Flags::default());
    assert_eq!(destination.server.what, "https://h:6443");
    assert_eq!(destination.cluster.tls_server_name.unwrap().what, "api");
    assert!(matches!(destination.cluster.authority.unwrap().what, Material::Data(_)), "data wins over a file");
    let Material::File(path) = destination.user.certificate.unwrap().what else { panic!("not a file") };
    assert_eq!(path, std::path::Path::new("/home/k/certs/me.pem"), "relative to the kubeconfig");
    let Credential::Token(token) = destination.credential else { panic!("no token") };
    assert_eq!(token.what.expose_secret(), "first");
    assert_eq!(token.origin.to_string(), "kubeconfig /home/k/config, line 9: user \"me\", token");
}

#[test]
fn flags_win_over_the_file() {
    let destination = chosen(&Flags {
        server: text("https://other"),
        token: Some("flag".into()),
        user: text("plugin"),
        authority: Some("my.pem".into()),
        ..Flags::default()
    });
    assert_eq!(destination.server.what, "https://other");
    assert!(destination.cluster.tls_server_name.is_none(), "another server has another name");
    assert_eq!(destination.cluster.authority.unwrap().origin.to_string(), "--certificate-authority");
    let Credential::Token(token) = destination.credential else { panic!("the plugin would be run") };
    assert_eq!(token.what.expose_secret(), "flag");
    assert_eq!(destination.user.act_as.user.as_deref(), Some("boss"));
}

#[test]
fn insecure_drops_what_is_said_about_authorities_and_the_other_way_round() {
    let insecure = chosen(&Flags { insecure: true, ..Flags::default() });
    assert!(insecure.cluster.insecure && insecure.cluster.authority.is_none());
    let both = Flags { insecure: true, authority: Some("my.pem".into()), ..Flags::default() };
    assert!(refused(&both).contains("exclude each other"));
}

#[test]
fn whom_to_act_as_is_replaced_part_by_part() {
    let act_as = ActAs { groups: vec!["c".into()], ..ActAs::default() };
    let destination = chosen(&Flags { user: text("plugin"), act_as, ..Flags::default() });
    assert_eq!(destination.user.act_as.user.as_deref(), Some("boss"));
    assert_eq!(destination.user.act_as.groups, ["c"]);
    assert_eq!(destination.user.act_as.extra, [("scopes".into(), "v".into()), ("scopes".into(), "w".into())]);
}

#[test]
fn more_about_nobody_is_refused() {
    let groups = ActAs { groups: vec!["c".into()], ..ActAs::default() };
    let extra = ActAs { extra: vec![("a".into(), "b".into())], ..ActAs::default() };
    let uid = ActAs { uid: text("7"), ..ActAs::default() };
    for act_as in [groups, extra, uid] {
        assert!(refused(&Flags { act_as, ..Flags::default() }).contains("need --as"));
    }
}

#[test]
fn a_program_with_a_folder_is_relative_to_the_kubeconfig_and_a_bare_name_is_not() {
    let Credential::Exec(exec) = chosen(&Flags { user: text("plugin"), ..Flags::default() }).credential else {
        panic!("no plugin")
    };
    assert_eq!(exec.what.command, "/home/k/./bin/login");
    assert_eq!(exec.what.interactive, InteractiveMode::IfAvailable, "what v1beta1 means by saying nothing");
    let bare = FILE.replace("./bin/login", "login");
    let config = parse(&bare, "/home/k/config".as_ref()).unwrap();
    let flags = Flags { user: text("plugin"), ..Flags::default() };
    let Credential::Exec(exec) = choose(&config, &flags).unwrap().credential else { panic!("no plugin") };
    assert_eq!(exec.what.command, "login");
}

#[test]
fn a_token_file_wins_over_the_token_beside_it() {
    let destination = chosen(&Flags { user: text("file"), ..Flags::default() });
    let Credential::TokenFile(path, Some(_)) = destination.credential else { panic!("not the file") };
    assert_eq!(path.what, std::path::Path::new("/home/k/token"));
}

#[test]
fn nothing_secret_goes_over_an_open_line() {
    let flags = Flags { server: text("http://h:8080"), user: text("plugin"), ..Flags::default() };
    let destination = chosen(&flags);
    assert!(matches!(destination.credential, Credential::None), "kubectl runs no plugin either");
    assert!(destination.user.certificate.is_none() && destination.user.key.is_none());
    assert_eq!(destination.user.act_as.user.as_deref(), Some("boss"));
}

#[test]
fn a_server_without_a_scheme_gets_one_as_in_kubectl() {
    let of = |flags: Flags| choose(&Kubeconfig::default(), &flags).unwrap().server.what;
    assert_eq!(of(Flags { server: text("h:1"), ..Flags::default() }), "http://h:1");
    assert_eq!(of(Flags { server: text("h:1"), insecure: true, ..Flags::default() }), "https://h:1");
    assert_eq!(of(Flags { server: text("h:1"), authority: Some("c".into()), ..Flags::default() }), "https://h:1");
    assert_eq!(of(Flags { server: text("HTTPS://h:1"), ..Flags::default() }), "https://h:1");
}

#[test]
fn what_a_context_or_flag_names_must_be_there() {
    let flags = |context: &str| Flags { context: text(context), ..Flags::default() };
    assert_eq!(
        refused(&flags("lost")),
        "kubeconfig /home/k/config, line 26: context \"lost\": names the user \"nobody\", which does not exist; \
         there are: me, file, basic, plugin"
    );
    assert_eq!(
        refused(&Flags { cluster: text("x"), ..Flags::default() }),
        "--cluster: \"x\" does not exist in the kubeconfig; there are: here"
    );
    assert!(matches!(chosen(&flags("bare")).credential, Credential::None), "nobody is anonymous");
    assert!(matches!(chosen(&Flags { token: Some("t".into()), ..flags("lost") }).credential, Credential::Token(_)));
}

#[test]
fn the_first_file_that_says_something_wins() {
    let later = "current-context: other\nclusters: [{name: here, cluster: {server: 'https://x'}}, {name: new}]\n";
    let merged = config().merged_with(parse(later, "later".as_ref()).unwrap());
    assert_eq!(merged.current_context.as_deref(), Some("work"));
    assert_eq!(merged.clusters.iter().map(|named| named.name.as_str()).collect::<Vec<_>>(), ["here", "new"]);
    assert_eq!(merged.clusters[0].entry.server.as_ref().unwrap().what, "https://h:6443");
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_never_shown() {
    for (text, message) in [
        ("token", "kubeconfig k: is no kubeconfig: it holds text, not a mapping"),
        (
            "apiVersion: v2\n",
            "kubeconfig k, line 1: apiVersion: must be v1: this is no kubeconfig that can be read here",
        ),
        ("kind: Pod\n", "kubeconfig k, line 1: kind: must be Config: this is no kubeconfig that can be read here"),
        ("users: {me: {}}\n", "kubeconfig k, line 1: users: must be a list, not a mapping"),
        ("users:\n- user: {}\n", "kubeconfig k, line 2: users[0], name: is missing"),
        (
            "users:\n- name: me\n  user:\n    token: 4711\n",
            "kubeconfig k, line 4: user \"me\", token: must be text, not a number: put it in quotes",
        ),
        (
            "users:\n- name: me\n  user: {exec: {command: x}}\n",
            "kubeconfig k, line 3: user \"me\", exec.apiVersion: is missing",
        ),
        (
            "users:\n- name: me\n- name: me\n",
            "kubeconfig k, line 3: user \"me\": stands twice in users; a name may be there once",
        ),
        (
            "clusters:\n- name: c\n  cluster: {insecure-skip-tls-verify: 'yes'}\n",
            "kubeconfig k, line 3: cluster \"c\", insecure-skip-tls-verify: must be true or false, not text",
        ),
    ] {
        let found = parse(text, "k".as_ref()).unwrap_err().to_string();
        assert_eq!(found, message);
    }
}

#[test]
fn an_error_of_the_reader_quotes_nothing() {
    for secret in ["users:\n- name: me\n  user: {token: !!int hunter2}\n", "token: [hunter2\n", "a: 'hunter2\n"] {
        let found = parse(secret, "k".as_ref()).unwrap_err().to_string();
        assert!(found.contains("is no YAML: ") && !found.contains("hunter2"), "{found}");
    }
}

#[test]
fn one_way_to_log_in_is_enough() {
    let with = |user: &str| {
        let text = format!(
            "clusters: [{{name: c, cluster: {{server: 'https://h'}}}}]\nusers:\n- name: u\n  user: {user}\n\
             contexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n"
        );
        choose(&parse(&text, "k".as_ref()).unwrap(), &Flags::default()).unwrap_err().to_string()
    };
    assert!(with("{token: a, username: b}").contains("exclude each other"));
    assert!(with("{auth-provider: {name: gcp}}").ends_with("the gcp auth-provider was removed from Kubernetes"));
    assert!(with("{auth-provider: {name: oidc}}").ends_with("oidc has no id-token in the file"));
}
