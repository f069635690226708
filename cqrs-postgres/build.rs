//! Tells the tests what there is: a server, a pooler, and the programs that make a server of a
//! test's own, with or without TLS. Tests are ignored where what they need is missing.

use std::env;
use std::fs;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=CQRS_POSTGRES_URL");
    println!("cargo::rerun-if-env-changed=PATH");
    for name in ["server", "pooler", "cluster", "tls"] {
        println!("cargo::rustc-check-cfg=cfg({name})");
    }
    if env::var_os("CQRS_POSTGRES_URL").is_none_or(|url| url.is_empty()) {
        return;
    }
    println!("cargo::rustc-cfg=server");
    let path: Vec<_> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let has = |name| path.iter().any(|folder| folder.join(name).is_file());
    let has_openssl = has("openssl");
    if has("pgbouncer") {
        println!("cargo::rustc-cfg=pooler");
    }
    let has_all = |folder: &PathBuf| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file());
    if let Some(folder) = path.into_iter().chain(installed()).find(has_all) {
        println!("cargo::rustc-cfg=cluster");
        println!("cargo::rustc-env=POSTGRES_PROGRAMS={}", folder.display());
        if has_openssl {
            println!("cargo::rustc-cfg=tls");
        }
    }
}

/// Where Debian keeps the programs of a server, which are not in the path.
fn installed() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.map(|version| version.path().join("bin")).collect()
}
