//! Which algorithms are offered, and in which order.

use std::borrow::Cow;
use std::sync::Arc;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{AlgorithmKind, Preferred, SshId, cipher, client, kex, mac};

use crate::known_hosts::KnownHosts;
use crate::settings::Settings;

/// What makes the end of a certificate algorithm's name.
const CERTIFICATE: &str = "-cert-v01@openssh.com";

/// What a server may send on one channel before it hears that it was received. The library says so
/// when half of it has come, so that half of it is what one round trip carries for certain: with its
/// own two mebibytes, 20 ms of delay left 38 MiB/s of a line that carries more. Less than
/// [`crate::MAX_HELD_BYTES`], so that a reader that pauses does not stop the connection at once.
const CHANNEL_WINDOW: u32 = 6 * 1024 * 1024;

/// Offered beside the named algorithms: extensions, among them the cure for CVE-2023-48795.
const KEX_EXTENSIONS: &[kex::Name] = &[
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G16_SHA512,
    kex::DH_G18_SHA512,
    kex::DH_G14_SHA256,
];

const CIPHERS: &[cipher::Name] = &[
    cipher::CHACHA20_POLY1305,
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::AES_128_CTR,
    cipher::AES_192_CTR,
    cipher::AES_256_CTR,
];

const MACS: &[mac::Name] = &[
    mac::HMAC_SHA256_ETM,
    mac::HMAC_SHA512_ETM,
    mac::HMAC_SHA256,
    mac::HMAC_SHA512,
];

/// Without SHA-1, as OpenSSH since 8.8.
const HOST_KEYS: &[&str] = &[
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// The library's configuration for a destination.
pub(crate) fn config(settings: &Settings, known: &KnownHosts) -> Arc<client::Config> {
    Arc::new(client::Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-wharf_",
            env!("CARGO_PKG_VERSION")
        ))),
        preferred: preferred(settings, known),
        nodelay: true,
        window_size: CHANNEL_WINDOW,
        // The connection is watched by a task of ours, which sees also what the library does not:
        // a peer that takes no bytes any more.
        keepalive_interval: None,
        inactivity_timeout: None,
        ..client::Config::default()
    })
}

fn preferred(settings: &Settings, known: &KnownHosts) -> Preferred {
    let chosen = &settings.algorithms;
    let mut exchange = names(chosen.kex.as_deref(), KEX, |name| kex::Name::try_from(name));
    exchange.extend_from_slice(KEX_EXTENSIONS);
    let (key, host_key_certificates) = host_keys(settings, known);
    Preferred {
        kex: Cow::Owned(exchange),
        key: Cow::Owned(key),
        host_key_certificates: Cow::Owned(host_key_certificates),
        cipher: Cow::Owned(names(chosen.cipher.as_deref(), CIPHERS, |name| {
            cipher::Name::try_from(name)
        })),
        mac: Cow::Owned(names(chosen.mac.as_deref(), MACS, |name| {
            mac::Name::try_from(name)
        })),
        ..Preferred::DEFAULT
    }
}

/// The configured names that the library has, or ours where none of them is one.
fn names<N: Clone, E>(
    chosen: Option<&[String]>,
    ours: &[N],
    parse: impl Fn(&str) -> Result<N, E>,
) -> Vec<N> {
    let known: Vec<N> = chosen
        .unwrap_or_default()
        .iter()
        .filter_map(|name| parse(name).ok())
        .collect();
    if known.is_empty() {
        ours.to_vec()
    } else {
        known
    }
}

/// Plain algorithms and those of certificates. Algorithms of keys that are known come first, and
/// certificates are asked for only where an authority is known: a server that shows one in vain
/// could have shown a key that is known.
fn host_keys(settings: &Settings, known: &KnownHosts) -> (Vec<Algorithm>, Vec<Algorithm>) {
    let chosen = settings.algorithms.host_key.as_deref();
    let plain = names(chosen, &default_host_keys(), plain_host_key);
    let certificates = match chosen {
        _ if !known.has_authority() => Vec::new(),
        Some(chosen) => chosen
            .iter()
            .filter_map(|name| plain_host_key(name.strip_suffix(CERTIFICATE)?).ok())
            .collect(),
        None => default_host_keys(),
    };
    let on_record = known.algorithms();
    let is_on_record = |algorithm: &Algorithm| {
        on_record.iter().any(|known| match (known, algorithm) {
            (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
            (known, algorithm) => known == algorithm,
        })
    };
    let (mut first, rest): (Vec<_>, Vec<_>) = plain.into_iter().partition(is_on_record);
    first.extend(rest);
    (first, certificates)
}

fn default_host_keys() -> Vec<Algorithm> {
    let parsed = HOST_KEYS
        .iter()
        .filter_map(|name| plain_host_key(name).ok());
    parsed.collect()
}

fn plain_host_key(name: &str) -> Result<Algorithm, ()> {
    let curve = |curve| Ok(Algorithm::Ecdsa { curve });
    match name {
        "ssh-ed25519" => Ok(Algorithm::Ed25519),
        "ecdsa-sha2-nistp256" => curve(EcdsaCurve::NistP256),
        "ecdsa-sha2-nistp384" => curve(EcdsaCurve::NistP384),
        "ecdsa-sha2-nistp521" => curve(EcdsaCurve::NistP521),
        "rsa-sha2-512" => Ok(Algorithm::Rsa {
            hash: Some(HashAlg::Sha512),
        }),
        "rsa-sha2-256" => Ok(Algorithm::Rsa {
            hash: Some(HashAlg::Sha256),
        }),
        "ssh-rsa" => Ok(Algorithm::Rsa { hash: None }),
        _ => Err(()),
    }
}

/// It could be used if it were configured.
pub(crate) fn is_supported(kind: &AlgorithmKind, name: &str) -> bool {
    match kind {
        AlgorithmKind::Kex => kex::Name::try_from(name).is_ok() && name != "none",
        AlgorithmKind::Key => plain_host_key(name).is_ok(),
        AlgorithmKind::Cipher => {
            cipher::Name::try_from(name).is_ok() && name != "none" && name != "clear"
        }
        AlgorithmKind::Mac => mac::Name::try_from(name).is_ok() && name != "none",
        AlgorithmKind::Compression => false,
    }
}

/// Our own names of an option, to which a configuration may add (`+`), from which it may take
/// (`-`), or before which it may put some (`^`).
pub(crate) fn defaults(option: &str) -> Vec<String> {
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    match option {
        "kexalgorithms" => owned(KEX.iter().map(AsRef::as_ref).collect()),
        "ciphers" => owned(CIPHERS.iter().map(AsRef::as_ref).collect()),
        "macs" => owned(MACS.iter().map(AsRef::as_ref).collect()),
        "hostkeyalgorithms" => {
            let certificates = HOST_KEYS.iter().map(|name| format!("{name}{CERTIFICATE}"));
            let plain = HOST_KEYS.iter().map(|name| (*name).to_owned());
            certificates.chain(plain).collect()
        }
        _ => Vec::new(),
    }
}
