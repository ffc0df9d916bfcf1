//! `/setup`: the first account.

use super::fields::{code, error, focus, log_in, name, password};
use super::html::Html;

/// The form.
#[derive(Debug, Default)]
pub(crate) struct Setup<'a> {
    pub(crate) csrf: &'a str,
    pub(crate) code: &'a str,
    pub(crate) email: &'a str,
    pub(crate) username: &'a str,
    pub(crate) error: Option<&'a str>,
}

pub(crate) fn form(view: &Setup<'_>) -> Html {
    let mut html = Html::new();
    html.markup("<h1>Welcome aboard</h1>")
        .markup("<p class=\"lead\">This server has no accounts yet. The first one is yours, and ")
        .markup("looks after all others.</p>");
    error(&mut html, view.error);
    html.markup("<form method=\"post\" action=\"/setup\">");
    html.hidden("csrf", view.csrf);
    let hint = "It is on the terminal where the server was started.";
    code(
        &mut html,
        "First-run code",
        hint,
        view.code,
        view.code.is_empty(),
    );
    html.markup("<div class=\"field\"><label for=\"email\">E-mail</label>")
        .markup("<input id=\"email\" name=\"email\" type=\"email\" autocomplete=\"username\" ")
        .markup("maxlength=\"254\" required");
    focus(&mut html, !view.code.is_empty());
    html.markup(" value=\"")
        .text(view.email)
        .markup("\"></div>");
    name(&mut html, " required", view.username, "", false);
    let hint = "At least 8 characters; a few words are better than a short riddle.";
    password(&mut html, hint, false);
    html.markup("<button class=\"main wide\">Make the account</button></form>");
    html
}

/// It worked. `url` is what clients call the server.
pub(crate) fn done(email: &str, url: &str) -> Html {
    let mut html = Html::new();
    html.markup("<h1>The server is yours</h1><p class=\"lead\"><b>")
        .text(email)
        .markup("</b> can log in now, and so can whoever it invites.</p>");
    log_in(&mut html, url);
    html.markup("<h2>Inviting others</h2>")
        .markup("<pre><code>wharf org invite main colleague@example.com</code></pre>");
    html
}

/// There is an account already.
pub(crate) fn over() -> Html {
    let mut html = Html::new();
    html.markup("<h1>This server is set up</h1>")
        .markup("<p>It has accounts, so the first one can no longer be made here. Whoever looks ")
        .markup("after it can invite you, or make an account for you.</p>")
        .markup("<form method=\"get\" action=\"/device\">")
        .markup("<h2>You have a code</h2><div class=\"buttons stack\">")
        .markup("<button formaction=\"/invitation\">Follow an invitation</button>")
        .markup("<button formaction=\"/reset\">Set a new password</button></div>")
        .markup("<h2>You have an account</h2>")
        .markup("<button class=\"wide\">Connect a device</button></form>");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_shown_again_as_text_but_no_password_is() {
        let evil = "\"><script>";
        let text = form(&Setup {
            csrf: evil,
            code: evil,
            email: evil,
            username: evil,
            error: Some(evil),
        })
        .into_string();
        assert!(!text.contains("<script"), "{text}");
        let password = text.split("id=\"password\"").nth(1).unwrap();
        assert!(!password.split('>').next().unwrap().contains("value="));
        assert!(!done(evil, evil).into_string().contains("<script"));
    }
}
