//! In a pod without a kubeconfig: the pod's own service account, as every Kubernetes client takes it.

use std::path::{Path, PathBuf};

use mizar_core::kubeconfig::{Cluster, Context, Kubeconfig, Material, Named, Origin, Said, User};

/// Where the kubelet puts the account's files.
pub(super) const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

const NAME: &str = "in-cluster";

/// The same as a kubeconfig, so that flags change it as they change one; none where we run in no pod.
pub(super) fn kubeconfig(service: Option<&(String, String)>, account: &Path) -> Option<Kubeconfig> {
    let (host, port) = service?;
    let token = account.join("token");
    if !token.is_file() {
        return None;
    }
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let origin = Origin::Variable("KUBERNETES_SERVICE_HOST");
    let authority = account.join("ca.crt");
    let cluster = Cluster {
        server: Some(Said { what: format!("https://{host}:{port}"), origin: origin.clone() }),
        authority: Some(Said { what: Material::File(authority.clone()), origin: Origin::file(&authority) }),
        ..Cluster::default()
    };
    let user = User { token_file: Some(Said { origin: Origin::file(&token), what: token }), ..User::default() };
    let context = Context { cluster: NAME.into(), user: NAME.into() };
    Some(Kubeconfig {
        current_context: Some(NAME.into()),
        clusters: vec![Named { name: NAME.into(), origin: origin.clone(), entry: cluster }],
        users: vec![Named { name: NAME.into(), origin: origin.clone(), entry: user }],
        contexts: vec![Named { name: NAME.into(), origin, entry: context }],
    })
}

/// The account's authority changes while we run: kube reads it again each minute.
pub(super) fn authority_file(authority: &Said<Material>) -> Option<PathBuf> {
    match &authority.what {
        Material::File(path) if path.starts_with(ACCOUNT) => Some(path.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mizar_core::kubeconfig::{Credential, Flags, choose};

    use super::*;

    #[test]
    fn the_account_of_a_pod_stands_in_for_a_kubeconfig() {
        let folder = tempfile::tempdir().unwrap();
        let service = ("fd00::1".to_owned(), "443".to_owned());
        assert!(kubeconfig(Some(&service), folder.path()).is_none(), "no token, no pod");
        std::fs::write(folder.path().join("token"), "t").unwrap();
        assert!(kubeconfig(None, folder.path()).is_none());
        let config = kubeconfig(Some(&service), folder.path()).unwrap();
        let destination = choose(&config, &Flags::default()).unwrap();
        assert_eq!(destination.server.what, "https://[fd00::1]:443");
        assert!(matches!(destination.credential, Credential::TokenFile(..)));
        let flags = Flags { token: Some("mine".into()), ..Flags::default() };
        assert!(matches!(choose(&config, &flags).unwrap().credential, Credential::Token(_)));
    }
}
