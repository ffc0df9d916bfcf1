//! Who makes sandboxes, and whether they can.

use wharf_api::gateway::SandboxSupport;

use super::Line;
use crate::connect;
use crate::context::Context;
use crate::login::fresh::Kept;
use crate::wire::block_on;

/// Asks the server at hand with the login as it is kept. What keeps it from answering is said by
/// other checks.
pub(super) fn check(cx: &Context) -> Vec<Line> {
    let Ok(Kept::Token(token)) = connect::kept_token(cx) else {
        return Vec::new();
    };
    let asked = connect::find_openly(cx).and_then(|server| {
        let client = wharf_client::Client::new(server.client.url(), Some(&token))?;
        block_on(async { Ok(client.sandboxes(None, false).await?) })
    });
    match asked {
        Ok(list) => lines(&list.support),
        Err(_) => Vec::new(),
    }
}

fn lines(support: &[SandboxSupport]) -> Vec<Line> {
    if support.is_empty() {
        return vec![
            Line::skip("provider", "this server makes no sandboxes")
                .hint("wharf config list --origin shows sandbox.*"),
        ];
    }
    let line = |it: &SandboxSupport| {
        if it.available {
            return Line::ok("provider", format!("{} makes sandboxes", it.provider));
        }
        let reason = it.reason.as_deref().unwrap_or("it does not say why");
        Line::warn("provider", format!("{} makes no sandboxes", it.provider)).hint(reason)
    };
    support.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_provider_that_cannot_says_why() {
        let support = |available: bool, reason: Option<&str>| SandboxSupport {
            provider: "local".to_owned(),
            available,
            reason: reason.map(str::to_owned),
            ..SandboxSupport::default()
        };
        assert_eq!(lines(&[]).first().unwrap().level, Level::Skip);
        let can = lines(&[support(true, None)]);
        assert_eq!(can.first().unwrap().level, Level::Ok);
        let cannot = lines(&[support(false, Some("install openssh-server"))]);
        let cannot = cannot.first().unwrap();
        assert_eq!(
            (cannot.level, cannot.hint.as_str()),
            (Level::Warn, "install openssh-server")
        );
    }
}
