//! Secrets in free text: logs, messages, files in ConfigMaps. Line by line, so that a log of any length is masked while it
//! comes; all that is remembered from one line to the next is that a key goes on.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex, RegexSet};

use super::MASK;
use super::name::{is_secret_name, looks_like_a_token};

/// What is secret by its shape wherever it stands, and what stands there afterwards. None of them takes a quotation mark away,
/// so that JSON stays JSON.
const SHAPES: &[(&str, &str)] = &[
    // A header, to the end of the line or of what quotes it.
    (r#"(?i)\b((?:proxy-)?authorization\\?["']?\s*[:=]\s*\\?["'\[]*)[a-z0-9][^"'\\\]]*"#, "${1}(masked)"),
    (r"(?i)\b(bearer)\s+[a-z0-9._~+/=:-]{6,}", "${1} (masked)"),
    // Tokens of Kubernetes and of whoever else signs JSON, as they are and as a Secret holds them.
    (r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,4}", MASK),
    (r"\bZXlK[A-Za-z0-9+/=_-]{30,}", MASK),
    // Keys and certificates as kubeconfigs hold them.
    (r"LS0tLS1CRUdJTi[A-Za-z0-9+/=_-]*", MASK),
    // Who logs in, in an address.
    (r#"\b([a-z][a-z0-9+.-]*://)[^/\s:@"']*:[^/\s@"']+@"#, "${1}(masked)@"),
    // What well-known services call a token.
    (r"\b(?:gh[opsur]_|github_pat_|glpat-|xox[abprs]-|hvs\.)[A-Za-z0-9_-]{16,}", MASK),
    (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", MASK),
];

const JOINS: &str = r"(^|[^A-Za-z0-9.-])[a-z0-9]{6}\.([a-z0-9]{16})($|[^A-Za-z0-9.-])";
const LONGS: &str = r"[A-Za-z0-9+/]{60,}={0,2}";

/// Words that a name of a secret has, as texts write them.
const WORDS: &str = "password|passwd|passphrase|token|secret|credential|api[_-]?key|access[_-]?key|private[_-]?key|\
    client[_-]?key|ssh[_-]?key|key[_-]?data|certificate[_-]?data|client[_-]?certificate|cookie|kubeconfig|dockerconfig|\\bpwd|\\bpass|\\bauth";

/// Quick to say that a line has nothing of a secret's shape, as nearly all have not.
static SHAPELY: LazyLock<RegexSet> = LazyLock::new(|| {
    let all = SHAPES.iter().map(|(shape, _)| *shape).chain([JOINS, LONGS]);
    RegexSet::new(all).expect("the patterns are fixed, and tests use each of them")
});
static SHAPED: LazyLock<Vec<(Regex, &'static str)>> =
    LazyLock::new(|| SHAPES.iter().map(|(shape, instead)| (regex(shape), *instead)).collect());

/// What lets a node join a cluster; also part of many a host's name, where its second half has no digit.
static JOIN: LazyLock<Regex> = LazyLock::new(|| regex(JOINS));
/// A line of a key whose beginning was not seen, or has something else before it. Digests are not meant.
static LONG: LazyLock<Regex> = LazyLock::new(|| regex(LONGS));
static BEGIN: LazyLock<Regex> = LazyLock::new(|| regex(r"-----BEGIN [A-Z0-9 ]+-----"));
static END: LazyLock<Regex> = LazyLock::new(|| regex(r"-----END [A-Z0-9 ]+-----"));
/// Quick to say that a line has no name of a secret.
static WORD: LazyLock<Regex> = LazyLock::new(|| regex(&format!("(?i){WORDS}")));
/// `password: all that follows`, as YAML writes it, perhaps behind the time at which it was logged.
static FIELD: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(
        r#"(?i)^((?:\d{{4}}-\d\d-\d\dT\S+)?\s*(?:-\s+)?["']?([a-z0-9_.-]*(?:{WORDS})[a-z0-9_.-]*)["']?:\s+)\S.*$"#
    ))
});
/// `password=x`, `"password":"x"`.
static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    let value = r#"\\"[^"\\]*\\"|"[^"]*"|'[^']*'|[^\s"'&]+"#;
    regex(&format!(r#"(?i)([a-z0-9_.-]*(?:{WORDS})[a-z0-9_.-]*)(\\?["']?\s*[:=]\s*)({value})"#))
});
/// `--password x`.
static FLAG: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!(r"(?i)((?:^|\s)--?([a-z0-9-]*(?:{WORDS})[a-z0-9-]*)\s+)([^\s-]\S*)")));

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are fixed, and tests use each of them")
}

/// Nothing shorter is a secret by its shape.
const SHORTEST: usize = 12;

/// Masks a text of one line or many.
#[must_use]
pub fn mask(text: &str) -> String {
    // A word that names nothing and is shorter than any token, as most of an object's are.
    if text.len() < SHORTEST && !text.contains(['=', ':', ' ']) {
        return text.to_owned();
    }
    let mut lines = Lines::default();
    let masked: Vec<Cow<'_, str>> = text.split('\n').map(|line| lines.mask(line)).collect();
    masked.join("\n")
}

/// Masks a line of JSON that was written with a field a line: what is left is JSON.
#[must_use]
pub fn mask_json_line(line: &str) -> Cow<'_, str> {
    let mut masked = Cow::Borrowed(line);
    if let Some(begin) = BEGIN.find(line) {
        let rest = &line[begin.end()..];
        let end = rest.find('"').unwrap_or(rest.len());
        masked = Cow::Owned(format!("{}{MASK}{}", &line[..begin.start()], &rest[end..]));
    }
    shapes(masked)
}

/// Masks the lines of a text, one after the other.
#[derive(Debug, Default)]
pub struct Lines {
    is_within_key: bool,
}

impl Lines {
    /// Masks the next line, without its end.
    pub fn mask<'line>(&mut self, line: &'line str) -> Cow<'line, str> {
        if self.is_within_key {
            return self.of_a_key(line);
        }
        match BEGIN.find(line) {
            None => names(shapes(Cow::Borrowed(line))),
            Some(begin) => {
                self.is_within_key = true;
                let rest = self.of_a_key(&line[begin.end()..]);
                let before = names(shapes(Cow::Borrowed(&line[..begin.start()])));
                Cow::Owned(format!("{before}{rest}"))
            }
        }
    }

    /// Masks what belongs to a key. A key that is cut off ends where a line is none of it.
    fn of_a_key(&mut self, line: &str) -> Cow<'static, str> {
        if let Some(end) = END.find(line) {
            self.is_within_key = false;
            return Cow::Owned(format!("{MASK}{}", self.mask(&line[end.end()..])));
        }
        let is_of_key = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=:,-. \\\"'|\t\r".contains(&byte);
        if line.bytes().all(is_of_key) {
            return Cow::Borrowed(MASK);
        }
        self.is_within_key = false;
        Cow::Owned(self.mask(line).into_owned())
    }
}

/// Masks what is secret by its shape.
fn shapes(line: Cow<'_, str>) -> Cow<'_, str> {
    if !SHAPELY.is_match(&line) {
        return line;
    }
    let line =
        SHAPED.iter().fold(line, |line, (shape, instead)| replaced(line, |line| shape.replace_all(line, *instead)));
    let line = replaced(line, |line| {
        JOIN.replace_all(line, |found: &Captures<'_>| {
            let has_digit = found[2].bytes().any(|byte| byte.is_ascii_digit());
            if has_digit { format!("{}{MASK}{}", &found[1], &found[3]) } else { found[0].to_owned() }
        })
    });
    replaced(line, |line| {
        LONG.replace_all(line, |found: &Captures<'_>| {
            let is_digest = found[0].bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_digest && looks_like_a_token(&found[0]) { MASK.to_owned() } else { found[0].to_owned() }
        })
    })
}

/// Masks what is secret by the name before it.
fn names(line: Cow<'_, str>) -> Cow<'_, str> {
    if !WORD.is_match(&line) {
        return line;
    }
    let line = replaced(line, |line| {
        FIELD.replace(line, |found: &Captures<'_>| {
            if is_secret_name(&found[2]) { format!("{}{MASK}", &found[1]) } else { found[0].to_owned() }
        })
    });
    let line = replaced(line, |line| {
        ASSIGNMENT.replace_all(line, |found: &Captures<'_>| {
            let (name, between, value) = (&found[1], &found[2], &found[3]);
            let value =
                if is_secret_name(name) { in_the_place_of(value) } else { names(Cow::Borrowed(value)).into_owned() };
            format!("{name}{between}{value}")
        })
    });
    replaced(line, |line| {
        FLAG.replace_all(line, |found: &Captures<'_>| {
            let value = if is_secret_name(&found[2]) { MASK } else { &found[3] };
            format!("{}{value}", &found[1])
        })
    })
}

/// The mask, quoted as what it replaces.
fn in_the_place_of(value: &str) -> String {
    let quote = ["\\\"", "\"", "'"].into_iter().find(|quote| value.starts_with(quote)).unwrap_or_default();
    format!("{quote}{MASK}{quote}")
}

fn replaced<'line>(line: Cow<'line, str>, replace: impl for<'a> Fn(&'a str) -> Cow<'a, str>) -> Cow<'line, str> {
    match replace(&line) {
        Cow::Borrowed(_) => line,
        Cow::Owned(changed) => Cow::Owned(changed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a service account has it; its signature is none.
    const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl";

    #[test]
    fn lines_that_hold_a_secret_keep_everything_else() {
        for (line, masked) in [
            ("GET /api: Authorization: Bearer planted-1234", "GET /api: Authorization: (masked)"),
            (
                "headers: {\"Authorization\": \"Basic bWU6eA==\", \"Host\": \"a\"}",
                "headers: {\"Authorization\": \"(masked)\", \"Host\": \"a\"}",
            ),
            ("map[Authorization:[Bearer planted] Host:[a]]", "map[Authorization:(masked) Host:[a]]"),
            ("using bearer abcdef.123456 now", "using bearer (masked) now"),
            ("password=planted next", "password=(masked) next"),
            ("user=me&token=planted&x=1", "user=me&token=(masked)&x=1"),
            (
                "{\"user\":\"me\",\"password\":\"two words\",\"x\":1}",
                "{\"user\":\"me\",\"password\":\"(masked)\",\"x\":1}",
            ),
            (r#"msg="{\"api_key\":\"planted one\",\"x\":1}""#, r#"msg="{\"api_key\":\"(masked)\",\"x\":1}""#),
            ("  password: two words", "  password: (masked)"),
            ("2026-03-01T12:00:00.1Z password: two words", "2026-03-01T12:00:00.1Z password: (masked)"),
            ("- client-key-data: LS0tLS1CRUdJTiBSU0E=", "- client-key-data: (masked)"),
            ("run --token planted --level 3", "run --token (masked) --level 3"),
            ("run -password 'planted' x", "run -password (masked) x"),
            ("from https://me:planted@host/v2/", "from https://(masked)@host/v2/"),
            ("key AKIAIOSFODNN7EXAMPLE is used", "key (masked) is used"),
            ("join abcdef.0123456789abcdef", "join (masked)"),
            ("push with ghp_0123456789abcdefghijABCDEFGHIJ", "push with (masked)"),
            ("error: secretName=a token=planted", "error: secretName=a token=(masked)"),
            ("-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY-----, x", "(masked), x"),
        ] {
            assert_eq!(mask(line), masked);
            assert_eq!(mask(masked), masked, "a second time");
        }
    }

    #[test]
    fn tokens_and_keys_are_known_by_their_shape_alone() {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(TOKEN);
        for secret in [TOKEN, &encoded, "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUI="] {
            assert_eq!(mask(&format!("a {secret} b")), format!("a {MASK} b"));
        }
        let line_of_key = "MIIEowIBAAKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gun";
        assert_eq!(mask(&format!("12:00:01 {line_of_key}")), format!("12:00:01 {MASK}"));
    }

    #[test]
    fn a_key_over_several_lines_is_masked_and_what_follows_is_not() {
        let text = "before\n-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBu\nxyz==\n-----END EC PRIVATE KEY-----\nafter";
        assert_eq!(mask(text), format!("before\n{MASK}\n{MASK}\n{MASK}\n{MASK}\nafter"));
        let cut = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBu\n[info] the line of another (log)\nafter";
        assert_eq!(mask(cut), format!("{MASK}\n{MASK}\n[info] the line of another (log)\nafter"));
    }

    #[test]
    fn what_is_no_secret_is_not_touched() {
        for line in [
            "",
            "[2026-03-01 12:00:00,123] kopf.objects [INFO ] [default/net0] Handler 'subnet_opr' succeeded.",
            "Pulled image docker.io/mizarnet/mizard@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "secrets \"mizar-operation\" is forbidden: User \"reader\" cannot get resource",
            "secretName: registry",
            "MountVolume.SetUp failed for volume \"token\"",
            "bearer token is missing",
            "https://10.0.0.1:6443/api/v1/nodes?limit=500",
            "author: somebody, passed: 3, tokens per second 5",
            "worker.ip10internalhost.example.com",
            "on worker.internalmachines",
        ] {
            assert_eq!(mask(line), line);
        }
    }

    #[test]
    fn a_line_of_json_stays_json() {
        for text in [
            "Authorization: Bearer planted-1234",
            "-----BEGIN RSA PRIVATE KEY-----\nplanted\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----\nplanted",
            "https://me:planted@host and \"Bearer planted-1234\"",
        ] {
            let line = format!("    \"message\": {},", serde_json::json!(text));
            let masked = mask_json_line(&line);
            assert!(!masked.contains("planted"), "{masked}");
            let field = format!("{{{}}}", masked.trim().trim_end_matches(','));
            assert!(serde_json::from_str::<serde_json::Value>(&field).is_ok(), "{masked}");
        }
    }
}
