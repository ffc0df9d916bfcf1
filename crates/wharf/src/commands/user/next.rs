//! What somebody does with a code: the command to type and the page to open.

use wharf_api::identity::Hidden;

use crate::context::Context;

/// What a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Accepting an invitation.
    Invitation,
    /// Setting a password.
    Password,
}

/// Says how the code is used at the server at `url`; without one, where only its owner knows it.
pub(crate) fn say(cx: &Context, purpose: For, code: &Hidden, url: Option<&str>) {
    for line in lines(purpose, code, url) {
        cx.ui.event(&line);
    }
}

fn lines(purpose: For, code: &Hidden, url: Option<&str>) -> Vec<String> {
    let code = code.expose();
    let at = url.unwrap_or("URL").trim_end_matches('/');
    let (command, page) = match purpose {
        For::Invitation => (
            format!("wharf auth accept {code} --api-url {at}"),
            format!("{at}/invitation?code={code}"),
        ),
        For::Password => (
            format!("wharf auth password --code {code} --api-url {at}"),
            format!("{at}/reset"),
        ),
    };
    vec![format!("they type: {command}"), format!("or open: {page}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_there_to_be_copied() {
        let code = Hidden::from("AB-CD");
        assert_eq!(
            lines(For::Invitation, &code, Some("https://a.b/")),
            [
                "they type: wharf auth accept AB-CD --api-url https://a.b",
                "or open: https://a.b/invitation?code=AB-CD"
            ]
        );
        assert_eq!(
            lines(For::Password, &code, None),
            [
                "they type: wharf auth password --code AB-CD --api-url URL",
                "or open: URL/reset"
            ]
        );
    }
}
