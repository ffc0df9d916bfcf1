//! `/invitation`: somebody comes into an organization.

use super::fields::{code, error, name, next_steps, password_twice};
use super::html::Html;

/// The form.
#[derive(Debug, Default)]
pub(crate) struct Invitation<'a> {
    pub(crate) csrf: &'a str,
    pub(crate) code: &'a str,
    pub(crate) username: &'a str,
    pub(crate) error: Option<&'a str>,
}

pub(crate) fn form(view: &Invitation<'_>) -> Html {
    let mut html = Html::new();
    html.markup("<h1>Follow an invitation</h1>")
        .markup("<p class=\"lead\">It makes an account for the address that was invited. If that ")
        .markup("has one here already, use its password.</p>");
    error(&mut html, view.error);
    html.markup("<form method=\"post\" action=\"/invitation\">");
    html.hidden("csrf", view.csrf);
    let hint = "Whoever invited you has it; it works once.";
    code(
        &mut html,
        "Invitation code",
        hint,
        view.code,
        view.code.is_empty(),
    );
    let hint = "For a new account; one that is there keeps its own.";
    name(&mut html, "", view.username, hint, !view.code.is_empty());
    let hint = "New: at least 8 characters. Of an account that is there: its own.";
    password_twice(&mut html, hint, false);
    html.markup("<button class=\"main wide\">Accept</button></form>");
    html
}

/// It worked. `url` is what clients call the server.
pub(crate) fn done(email: &str, organization: &str, url: &str) -> Html {
    let mut html = Html::new();
    html.markup("<h1>Welcome aboard</h1><p class=\"lead\"><b>")
        .text(email)
        .markup("</b> belongs to <b>")
        .text(organization)
        .markup("</b> now, and can log in.</p>");
    next_steps(&mut html, url);
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_shown_again_as_text_but_no_password_is() {
        let evil = "\"><script>";
        let text = form(&Invitation {
            csrf: evil,
            code: evil,
            username: evil,
            error: Some(evil),
        })
        .into_string();
        assert!(!text.contains("<script"), "{text}");
        for field in ["id=\"password\"", "id=\"again\""] {
            let input = text.split(field).nth(1).unwrap();
            assert!(!input.split('>').next().unwrap().contains("value="));
        }
        let text = done(evil, evil, evil).into_string();
        assert!(!text.contains("<script"), "{text}");
    }
}
