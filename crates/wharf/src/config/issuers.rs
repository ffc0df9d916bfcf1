//! `serve.jwt_issuers`: whose tokens are taken beside our own.

use wharf_identity::Issuer;
use wharf_model::is_local_host;

/// Reads `URL` or `URL=AUDIENCE`; `audience` is for those that name none.
///
/// # Errors
/// The text, and what is wrong with it.
pub(super) fn parse(
    texts: &[String],
    audience: &str,
) -> Result<Vec<Issuer>, (String, &'static str)> {
    let mut issuers: Vec<Issuer> = Vec::with_capacity(texts.len());
    for text in texts {
        let refused = |why| Err((text.clone(), why));
        let (url, audience) = text.split_once('=').unwrap_or((text, audience));
        if audience.is_empty() {
            return refused("names no audience after =");
        }
        if let Err(why) = check(url) {
            return refused(why);
        }
        if issuers.iter().any(|issuer| issuer.url == url) {
            return refused("is there twice");
        }
        issuers.push(Issuer {
            url: url.to_owned(),
            audience: audience.to_owned(),
            jwks_url: None,
        });
    }
    Ok(issuers)
}

/// Keys that somebody on the way could replace are none.
fn check(url: &str) -> Result<(), &'static str> {
    let is_encrypted = url.starts_with("https://");
    let rest = url.strip_prefix("https://");
    let rest = rest.or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|_| super::options::host_of(url));
    let host = host.ok_or("is no address such as https://login.example.com")?;
    if url.contains(['?', '#', '@', ' ']) {
        return Err("has to end after host, port and path");
    }
    if is_encrypted || is_local_host(&host) {
        Ok(())
    } else {
        Err("has to begin with https://")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[&str]) -> Result<Vec<Issuer>, (String, &'static str)> {
        let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        parse(&texts, "wharf")
    }

    #[test]
    fn an_issuer_has_the_common_audience_or_its_own() {
        let issuers = parsed(&["https://a.example/realm/", "https://b.example=at-work"]).unwrap();
        let seen: Vec<_> = issuers.iter().map(|it| (&*it.url, &*it.audience)).collect();
        assert_eq!(
            seen,
            [
                // `iss` is compared as it is, so that the slash stays.
                ("https://a.example/realm/", "wharf"),
                ("https://b.example", "at-work")
            ]
        );
        assert!(parsed(&["http://127.0.0.1:9", "http://[::1]:9", "http://localhost"]).is_ok());
    }

    #[test]
    fn what_is_no_issuer_is_refused() {
        for (texts, says) in [
            (&["login.example.com"][..], "no address"),
            (&["https://"], "no address"),
            (&["http://login.example.com"], "https://"),
            (&["https://login.example.com/?x"], "end after"),
            (&["http://localhost@login.example.com"], "end after"),
            (&["https://login.example.com="], "no audience"),
            (&["https://a.example", "https://a.example=x"], "twice"),
        ] {
            let (_text, why) = parsed(texts).unwrap_err();
            assert!(why.contains(says), "{texts:?}: {why}");
        }
    }
}
