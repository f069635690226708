//! TLS by the URL, on a server of the test's own with certificates of an authority of the test's own.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy lets only the tests themselves unwrap"
)]

#[path = "common/cluster.rs"]
mod cluster;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cluster::Cluster;
use cqrs_core::{EventStore, Position, describe};
use cqrs_postgres::{ConnectError, PostgresReadModel, PostgresStore};
use sqlx::{Executor, Row};
use tempfile::TempDir;

/// Who may connect: whoever uses TLS; `certified` with a certificate of his own.
const ACCESS: &str = "hostssl all certified all cert\nhostssl all all all trust\n";

/// An authority that makes certificates.
struct Authority {
    files: TempDir,
}

impl Authority {
    fn named(name: &str) -> Self {
        let authority = Self { files: tempfile::tempdir().unwrap() };
        authority.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} \
             -keyout authority.key -out authority.pem -addext keyUsage=critical,keyCertSign"
        ));
        authority
    }

    /// A certificate for a name, with what else it is to say, and its key.
    fn certify(&self, file: &str, name: &str, extension: &str) -> [PathBuf; 2] {
        fs::write(self.file("extensions"), extension).unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout {file}.key -out {file}.request"
        ));
        self.openssl(&format!(
            "x509 -req -in {file}.request -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 \
             -extfile extensions -out {file}.pem"
        ));
        [self.file(&format!("{file}.pem")), self.file(&format!("{file}.key"))]
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        let said = command.args(arguments.split_whitespace()).current_dir(&self.files).output().unwrap();
        assert!(said.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&said.stderr));
    }
}

/// A server that takes nothing but TLS, whose certificate is for its address.
fn server(authority: &Authority, is_for: &str) -> Cluster {
    let [certificate, key] = authority.certify("server", "server", &format!("subjectAltName={is_for}"));
    fs::write(authority.file("pg_hba.conf"), ACCESS).unwrap();
    let (root, access) = (authority.file("authority.pem"), authority.file("pg_hba.conf"));
    let settings =
        ["ssl=on", "ssl_cert_file=server.pem", "ssl_key_file=server.key", "ssl_ca_file=authority.pem"];
    Cluster::with_files(&[&certificate, &key, &root, &access], &settings)
}

async fn connect(server: &Cluster, parameters: &str) -> Result<PostgresStore, ConnectError> {
    PostgresStore::connect(&format!("{}?{parameters}", server.url())).await
}

/// Why no connection is made, in all its words.
async fn refusal(server: &Cluster, parameters: &str) -> String {
    describe(&connect(server, parameters).await.expect_err(parameters))
}

fn trusting(mode: &str, root: &Path) -> String {
    format!("sslmode={mode}&sslrootcert={}", root.display())
}

#[tokio::test]
#[cfg_attr(
    not(tls),
    ignore = "CQRS_POSTGRES_URL is not set, or there is no openssl, or there are no programs of a server"
)]
async fn every_connection_uses_tls_and_who_is_not_whom_it_says_is_refused() {
    let (authority, other) = (Authority::named("ours"), Authority::named("another"));
    let root = authority.file("authority.pem");
    let server = server(&authority, "IP:127.0.0.1");

    // By default, and when it is wanted; and of a server that is known to be the right one.
    for parameters in
        ["", "sslmode=require", &trusting("verify-ca", &root), &trusting("verify-full", &root)]
    {
        let store = connect(&server, parameters).await.unwrap();
        // Another connection is the one that listens.
        assert!(futures::poll!(store.wait_beyond(Position::ZERO)).is_pending());
        let all = "SELECT count(*), bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                   WHERE backend_type = 'client backend'";
        let row = store.read_model().reader().fetch_one(all).await.unwrap();
        assert!(row.get::<i64, _>(0) > 0 && row.get::<bool, _>(1), "{parameters}");
        store.close().await;
    }
    let url = format!("{}?{}", server.url(), trusting("verify-full", &root));
    PostgresReadModel::connect_with(&url, cqrs_postgres::PostgresOptions::new().schema("answers"))
        .await
        .unwrap()
        .close()
        .await;

    let said = refusal(&server, "sslmode=disable").await;
    assert!(said.contains("no encryption"), "{said}");
    // What is not said to be trusted is not.
    for parameters in [trusting("verify-full", &other.file("authority.pem")), "sslmode=verify-full".into()]
    {
        let said = refusal(&server, &parameters).await;
        assert!(
            said.starts_with("PostgreSQL cannot open schema cqrs of database postgres on 127.0.0.1:"),
            "{said}"
        );
        assert!(said.contains("invalid peer certificate: UnknownIssuer"), "{said}");
    }
    let said = refusal(&server, &trusting("verify-full", &other.file("nowhere.pem"))).await;
    assert!(said.contains("No such file"), "{said}");
}

#[tokio::test]
#[cfg_attr(
    not(tls),
    ignore = "CQRS_POSTGRES_URL is not set, or there is no openssl, or there are no programs of a server"
)]
async fn a_certificate_for_another_name_is_refused_where_the_name_matters() {
    let authority = Authority::named("ours");
    let root = authority.file("authority.pem");
    let server = server(&authority, "DNS:db.example");
    connect(&server, &trusting("verify-ca", &root)).await.unwrap().close().await;
    let said = refusal(&server, &trusting("verify-full", &root)).await;
    assert!(said.contains("certificate not valid for name"), "{said}");
}

#[tokio::test]
#[cfg_attr(
    not(tls),
    ignore = "CQRS_POSTGRES_URL is not set, or there is no openssl, or there are no programs of a server"
)]
async fn a_node_may_show_a_certificate_instead_of_a_password() {
    let authority = Authority::named("ours");
    let server = server(&authority, "IP:127.0.0.1");
    let store = connect(&server, "").await.unwrap();
    let role = "CREATE ROLE certified LOGIN; GRANT CREATE ON DATABASE postgres TO certified";
    sqlx::PgPool::connect(&server.url()).await.unwrap().execute(role).await.unwrap();
    store.close().await;
    let [certificate, key] = authority.certify("certified", "certified", "extendedKeyUsage=clientAuth");
    let url =
        |parameters: &str| format!("{}?{parameters}", server.url()).replace("postgres@", "certified@");
    let shown = format!("sslmode=require&sslcert={}&sslkey={}", certificate.display(), key.display());
    let options = || cqrs_postgres::PostgresOptions::new().schema("certified");
    PostgresStore::connect_with(&url(&shown), options()).await.unwrap().close().await;
    let without = PostgresStore::connect_with(&url("sslmode=require"), options()).await.unwrap_err();
    assert!(describe(&without).contains("certificate"), "{}", describe(&without));
}

/// A server without TLS is not taken for one that has it.
#[tokio::test]
#[cfg_attr(not(cluster), ignore = "CQRS_POSTGRES_URL is not set, or there are no programs of a server")]
async fn a_server_without_tls_is_refused_where_tls_is_wanted() {
    let server = Cluster::new(&["ssl=off"]);
    connect(&server, "").await.unwrap().close().await;
    for mode in ["require", "verify-ca", "verify-full"] {
        let said = refusal(&server, &format!("sslmode={mode}")).await;
        assert!(said.contains("server does not support TLS"), "{mode}: {said}");
    }
}
