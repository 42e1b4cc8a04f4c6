//! Files that are called as files with secrets are. What is in them is not looked at.

/// Names of files.
const NAMES: [&str; 20] = [
    ".dockercfg",
    ".env",
    ".git-credentials",
    ".htpasswd",
    ".my.cnf",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    ".vault-token",
    "_netrc",
    "gshadow",
    "gshadow-",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_rsa",
    "secring.gpg",
    "shadow",
    "shadow-",
];

/// What names end in.
const ENDINGS: [&str; 6] = [".jks", ".kdbx", ".key", ".keystore", ".p12", ".pfx"];

/// What paths end in.
const PATHS: [&str; 4] =
    [".aws/credentials", ".config/gcloud/application_default_credentials.json", ".docker/config.json", ".kube/config"];

/// Whether a path is that of a file which has a secret wherever programs use it as they usually do.
#[must_use]
pub(super) fn looks_secret(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_pem_of_key = name.strip_suffix(".pem").is_some_and(|stem| stem.contains("key"));
    let is_host_key = name.starts_with("ssh_host_") && name.ends_with("_key");
    let is_below = |end: &&str| path.strip_suffix(*end).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
    NAMES.contains(&name)
        || name.starts_with(".env.")
        || is_pem_of_key
        || is_host_key
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
        || PATHS.iter().any(is_below)
}

#[cfg(test)]
mod tests {
    use super::looks_secret;

    #[test]
    fn names_of_secrets() {
        for path in ["root/.ssh/id_rsa", "etc/shadow", "app/.env", "srv/tls-key.pem", "root/.aws/credentials", "a.p12"]
        {
            assert!(looks_secret(path), "{path}");
        }
        for path in
            ["root/.ssh/id_rsa.pub", "etc/shadow.txt", "environment", "srv/cert.pem", "x.aws/credentials", "key"]
        {
            assert!(!looks_secret(path), "{path}");
        }
    }
}
