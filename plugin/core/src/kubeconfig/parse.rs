//! From the text of one file to what it says. Unknown fields are passed over, as kubectl does.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use secrecy::SecretString;
use serde_json::Value;

use super::field::{Entry, Source, kind};
use super::{
    ActAs, AuthProvider, Cluster, Context, Exec, InteractiveMode, Kubeconfig, Material, Named, Origin, Said, User,
    Wrong,
};
use crate::yaml::{DuplicateKeys, YamlError, read_located};

/// The name of the extension that a credential plugin is told.
const EXEC_EXTENSION: &str = "client.authentication.k8s.io/exec";

/// Reads the text of the file `path`. An empty text says nothing, and is not wrong.
pub fn parse(text: &str, path: &Path) -> Result<Kubeconfig, Wrong> {
    let (value, locations) = read_located(text, DuplicateKeys::TakeLast).map_err(|error| not_yaml(path, &error))?;
    let source = Rc::new(Source {
        file: path.display().to_string(),
        folder: path.parent().map(Path::to_owned).unwrap_or_default(),
        locations,
    });
    if !(value.is_object() || value.is_null()) {
        let message = format!("is no kubeconfig: it holds {}, not a mapping", kind(&value));
        return Err(Wrong::new(Origin::file(path), message));
    }
    let top = Entry::new(source.clone(), &value, Vec::new(), String::new())?;
    for (field, wanted) in [("apiVersion", "v1"), ("kind", "Config")] {
        if let Some(found) = top.text(field)?
            && found != wanted
        {
            return Err(top.wrong(field, format!("must be {wanted}: this is no kubeconfig that can be read here")));
        }
    }
    Ok(Kubeconfig {
        current_context: top.text("current-context")?.map(ToOwned::to_owned),
        clusters: entries(&source, &top, "clusters", "cluster", cluster)?,
        users: entries(&source, &top, "users", "user", user)?,
        contexts: entries(&source, &top, "contexts", "context", context)?,
    })
}

/// What a scanner says may quote the text, and the text may be a token.
fn not_yaml(path: &Path, error: &YamlError) -> Wrong {
    let mut message = String::new();
    for (position, part) in error.message.split(['`', '"', '\'']).enumerate() {
        message.push_str(if position % 2 == 0 { part } else { "…" });
    }
    let line = Some(error.position.line);
    let origin = Origin::File { file: path.display().to_string(), line, field: String::new() };
    Wrong::new(origin, format!("is no YAML: {message}"))
}

/// The list `list` of `noun`s; a name may stand there once.
fn entries<T>(
    source: &Rc<Source>,
    top: &Entry<'_>,
    list: &str,
    noun: &str,
    read: impl Fn(&Entry<'_>) -> Result<T, Wrong>,
) -> Result<Vec<Named<T>>, Wrong> {
    let mut found: Vec<Named<T>> = Vec::new();
    for (position, item) in top.list(list)?.iter().enumerate() {
        let path = vec![list.to_owned(), position.to_string()];
        let outer = Entry::new(source.clone(), item, path.clone(), format!("{list}[{position}]"))?;
        let name = outer.text("name")?.ok_or_else(|| outer.wrong("name", "is missing"))?.to_owned();
        let nothing = Value::Null;
        let inner = outer.fields().get(noun).unwrap_or(&nothing);
        let path = path.into_iter().chain([noun.to_owned()]).collect();
        let entry = Entry::new(source.clone(), inner, path, format!("{noun} {name:?}"))?;
        let origin = entry.here();
        if found.iter().any(|known| known.name == name) {
            return Err(Wrong::new(origin, format!("stands twice in {list}; a name may be there once")));
        }
        found.push(Named { name, origin, entry: read(&entry)? });
    }
    Ok(found)
}

fn cluster(entry: &Entry<'_>) -> Result<Cluster, Wrong> {
    let mut exec_config = None;
    for extension in entry.list("extensions")? {
        if extension["name"] == EXEC_EXTENSION {
            exec_config = extension.get("extension").cloned();
        }
    }
    Ok(Cluster {
        server: said(entry, "server")?,
        tls_server_name: said(entry, "tls-server-name")?,
        insecure: entry.flag("insecure-skip-tls-verify")?,
        authority: material(entry, "certificate-authority", "certificate-authority-data")?,
        proxy: said(entry, "proxy-url")?,
        disable_compression: entry.flag("disable-compression")?,
        exec_config,
    })
}

fn context(entry: &Entry<'_>) -> Result<Context, Wrong> {
    let text = |field| Ok(entry.text(field)?.unwrap_or_default().to_owned());
    Ok(Context { cluster: text("cluster")?, user: text("user")? })
}

fn user(entry: &Entry<'_>) -> Result<User, Wrong> {
    let (name, password) = (entry.text("username")?, entry.text("password")?);
    let basic = (name.is_some() || password.is_some()).then(|| Said {
        what: (name.unwrap_or_default().to_owned(), password.unwrap_or_default().into()),
        origin: entry.origin("username"),
    });
    Ok(User {
        token: secret(entry, "token")?,
        token_file: file(entry, "tokenFile")?,
        basic,
        certificate: material(entry, "client-certificate", "client-certificate-data")?,
        key: material(entry, "client-key", "client-key-data")?,
        exec: entry.below("exec")?.map(|entry| exec(&entry)).transpose()?,
        auth_provider: entry.below("auth-provider")?.map(|entry| auth_provider(&entry)).transpose()?,
        act_as: act_as(entry)?,
    })
}

fn act_as(entry: &Entry<'_>) -> Result<ActAs, Wrong> {
    let text = |field| Ok(entry.text(field)?.map(ToOwned::to_owned));
    let mut extra = Vec::new();
    if let Some(fields) = entry.below("as-user-extra")? {
        for key in fields.fields().keys() {
            extra.extend(fields.texts(key)?.into_iter().map(|value| (key.clone(), value)));
        }
    }
    Ok(ActAs { user: text("as")?, uid: text("as-uid")?, groups: entry.texts("as-groups")?, extra })
}

fn exec(entry: &Entry<'_>) -> Result<Said<Exec>, Wrong> {
    let api_version = entry.text("apiVersion")?.ok_or_else(|| entry.wrong("apiVersion", "is missing"))?;
    let group = api_version.strip_prefix("client.authentication.k8s.io/");
    if !matches!(group, Some("v1" | "v1beta1")) {
        let message = "must be client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1";
        return Err(entry
            .wrong("apiVersion", message)
            .hint("write the kubeconfig anew with the newest version of your provider's program"));
    }
    let command = entry.program("command")?.ok_or_else(|| entry.wrong("command", "is missing"))?;
    let interactive = match entry.text("interactiveMode")? {
        Some("Never") => InteractiveMode::Never,
        Some("IfAvailable") => InteractiveMode::IfAvailable,
        Some("Always") => InteractiveMode::Always,
        None if group == Some("v1beta1") => InteractiveMode::IfAvailable,
        None => return Err(entry.wrong("interactiveMode", "is missing: Never, IfAvailable or Always")),
        Some(_) => return Err(entry.wrong("interactiveMode", "must be Never, IfAvailable or Always")),
    };
    let mut variables = Vec::new();
    for variable in entry.list("env")? {
        match (variable["name"].as_str().filter(|name| !name.is_empty()), variable["value"].as_str()) {
            (Some(name), value) => variables.push((name.to_owned(), value.unwrap_or_default().to_owned())),
            (None, _) => return Err(entry.wrong("env", "each item must have a name")),
        }
    }
    let what = Exec {
        api_version: api_version.to_owned(),
        command,
        arguments: entry.texts("args")?,
        variables,
        install_hint: entry.text("installHint")?.map(ToOwned::to_owned),
        interactive,
        wants_cluster: entry.flag("provideClusterInfo")?,
    };
    Ok(Said { what, origin: entry.here() })
}

fn auth_provider(entry: &Entry<'_>) -> Result<Said<AuthProvider>, Wrong> {
    let name = entry.text("name")?.ok_or_else(|| entry.wrong("name", "is missing"))?.to_owned();
    let id_token = match entry.below("config")? {
        Some(config) => config.text("id-token")?.map(SecretString::from),
        None => None,
    };
    Ok(Said { what: AuthProvider { name, id_token }, origin: entry.here() })
}

fn said(entry: &Entry<'_>, field: &str) -> Result<Option<Said<String>>, Wrong> {
    Ok(entry.text(field)?.map(|text| Said { what: text.to_owned(), origin: entry.origin(field) }))
}

fn secret(entry: &Entry<'_>, field: &str) -> Result<Option<Said<SecretString>>, Wrong> {
    Ok(entry.text(field)?.map(|text| Said { what: text.into(), origin: entry.origin(field) }))
}

fn file(entry: &Entry<'_>, field: &str) -> Result<Option<Said<PathBuf>>, Wrong> {
    Ok(entry.file(field)?.map(|path| Said { what: path, origin: entry.origin(field) }))
}

/// Data wins over a file, as in kubectl.
fn material(entry: &Entry<'_>, file: &str, data: &str) -> Result<Option<Said<Material>>, Wrong> {
    let path = entry.file(file)?;
    Ok(match entry.text(data)? {
        Some(text) => Some(Said { what: Material::Data(text.into()), origin: entry.origin(data) }),
        None => path.map(|path| Said { what: Material::File(path), origin: entry.origin(file) }),
    })
}
