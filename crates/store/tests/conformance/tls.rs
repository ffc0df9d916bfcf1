//! Encrypted connections to PostgreSQL, with certificates that are made here.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use wharf_store::db::{Database, DbError};

use crate::{Case, Kind};

/// One who signs certificates, and whom nobody knows.
struct Authority {
    params: CertificateParams,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { params, key }
    }

    fn write(&self, file: &Path) {
        let certificate = self.params.self_signed(&self.key).unwrap();
        std::fs::write(file, certificate.pem()).unwrap();
    }

    /// A certificate for a server of this name, and its key.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

async fn a_connection_is_encrypted_to_whom_it_should_be(kind: Kind) {
    let Kind::Postgres(server) = kind else {
        unreachable!("this case is on the list for PostgreSQL only")
    };
    let dir = tempfile::tempdir().unwrap();
    let (ours, other) = (dir.path().join("ours.pem"), dir.path().join("other.pem"));
    let authority = Authority::new("ours");
    authority.write(&ours);
    Authority::new("other").write(&other);
    let name = server.make_database();
    let at = |host: &str, mode: &str, root: Option<&Path>| {
        let url = server.url(&name).replace("127.0.0.1", host);
        let root = root.map(|file| format!("&sslrootcert={}", file.display()));
        format!("{url}?sslmode={mode}{}", root.unwrap_or_default())
    };
    let refused = |opened: Result<Database, DbError>| match opened {
        Err(error @ DbError::Open { .. }) => format!("{error:?}").to_lowercase(),
        opened => panic!("not refused: {opened:?}"),
    };

    // A server that does not encrypt is not talked to in the clear instead.
    for mode in ["require", "verify-ca", "verify-full"] {
        let said = refused(Database::open(&at("localhost", mode, Some(&ours))).await);
        assert!(said.contains("tls"), "{mode}: {said}");
    }

    let (certificate, key) = authority.sign("localhost");
    server.encrypt(&certificate, &key);
    let db = Database::open(&at("localhost", "verify-full", Some(&ours))).await;
    let db = db.unwrap();
    db.set_meta("a", "1").await.unwrap();
    assert_eq!(db.meta("a").await.unwrap().as_deref(), Some("1"));
    let asked = format!(
        "SELECT count(*) > 0 AND bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
         WHERE datname = '{name}' AND application_name = 'wharf'"
    );
    assert_eq!(server.execute("postgres", &asked), "t");
    db.close().await;

    // Signed by somebody else, by nobody that the system knows, for another name.
    for (host, mode, root) in [
        ("localhost", "verify-full", Some(&*other)),
        ("localhost", "verify-full", None),
        ("localhost", "verify-ca", Some(&*other)),
        ("127.0.0.1", "verify-full", Some(&*ours)),
    ] {
        let said = refused(Database::open(&at(host, mode, root)).await);
        assert!(said.contains("certificate"), "{host} {mode}: {said}");
    }
    // What asks for less gets less, and encryption all the same.
    for (host, mode, root) in [
        ("127.0.0.1", "verify-ca", Some(&*ours)),
        ("127.0.0.1", "require", None),
    ] {
        let db = Database::open(&at(host, mode, root)).await.unwrap();
        assert_eq!(server.execute("postgres", &asked), "t", "{mode}");
        db.close().await;
    }
    let gone = dir.path().join("gone.pem");
    refused(Database::open(&at("localhost", "verify-full", Some(&gone))).await);
}

pub(crate) const CASES: &[Case] = &[("a_connection_is_encrypted_to_whom_it_should_be", |kind| {
    Box::pin(a_connection_is_encrypted_to_whom_it_should_be(kind))
})];
