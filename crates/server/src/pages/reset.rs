//! `/reset`: a new password by a code.

use super::fields::{code, error, next_steps, password_twice};
use super::html::Html;

/// The form.
#[derive(Debug, Default)]
pub(crate) struct Reset<'a> {
    pub(crate) csrf: &'a str,
    pub(crate) code: &'a str,
    pub(crate) error: Option<&'a str>,
}

pub(crate) fn form(view: &Reset<'_>) -> Html {
    let mut html = Html::new();
    html.markup("<h1>Set a new password</h1>")
        .markup("<p class=\"lead\">It ends all logins of the account; API keys stay.</p>");
    error(&mut html, view.error);
    html.markup("<form method=\"post\" action=\"/reset\">");
    html.hidden("csrf", view.csrf);
    let hint = "It was mailed to you, or whoever looks after this server can make one for you.";
    code(&mut html, "Code", hint, view.code, view.code.is_empty());
    let hint = "At least 8 characters; a few words are better than a short riddle.";
    password_twice(&mut html, hint, !view.code.is_empty());
    html.markup("<button class=\"main wide\">Set the password</button></form>");
    html
}

/// It worked. `url` is what clients call the server.
pub(crate) fn done(email: &str, url: &str) -> Html {
    let mut html = Html::new();
    html.markup("<h1>The password is set</h1><p class=\"lead\"><b>")
        .text(email)
        .markup("</b> can log in with it. All earlier logins have ended.</p>");
    next_steps(&mut html, url);
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_shown_again_as_text_but_no_password_is() {
        let evil = "\"><script>";
        let text = form(&Reset {
            csrf: evil,
            code: evil,
            error: Some(evil),
        })
        .into_string();
        assert!(!text.contains("<script"), "{text}");
        for field in ["id=\"password\"", "id=\"again\""] {
            let input = text.split(field).nth(1).unwrap();
            assert!(!input.split('>').next().unwrap().contains("value="));
        }
        assert!(!done(evil, evil).into_string().contains("<script"));
    }
}
