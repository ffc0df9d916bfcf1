//! Fields that several forms have.

use super::html::Html;

/// What went wrong, at the head of a form.
pub(super) fn error(html: &mut Html, error: Option<&str>) {
    if let Some(words) = error {
        html.markup("<p class=\"note bad\" role=\"alert\">");
        html.text(words).markup("</p>");
    }
}

/// Whether typing begins in this field.
pub(super) fn focus(html: &mut Html, here: bool) {
    html.markup(if here { " autofocus" } else { "" });
}

/// A code that was read out, mailed or printed.
pub(super) fn code(
    html: &mut Html,
    label: &'static str,
    hint: &'static str,
    value: &str,
    here: bool,
) {
    html.markup("<div class=\"field\"><label for=\"code\">")
        .markup(label)
        .markup("</label><input id=\"code\" class=\"code small\" name=\"code\" ")
        .markup("autocomplete=\"off\" autocapitalize=\"characters\" autocorrect=\"off\" ")
        .markup("spellcheck=\"false\" maxlength=\"40\" required");
    focus(html, here);
    html.markup(" value=\"").text(value).markup("\">");
    end(html, hint);
}

/// What somebody wants to be called. `rest` is what else the field has: `required`, or nothing.
pub(super) fn name(
    html: &mut Html,
    rest: &'static str,
    value: &str,
    hint: &'static str,
    here: bool,
) {
    html.markup("<div class=\"field\"><label for=\"username\">Name</label>")
        .markup("<input id=\"username\" name=\"username\" autocomplete=\"nickname\" ")
        .markup("maxlength=\"100\"")
        .markup(rest);
    focus(html, here);
    html.markup(" value=\"").text(value).markup("\">");
    end(html, hint);
}

/// A new password; never shown again.
pub(super) fn password(html: &mut Html, hint: &'static str, here: bool) {
    secret(html, "password", "Password", here);
    end(html, hint);
}

/// The same, typed twice.
pub(super) fn password_twice(html: &mut Html, hint: &'static str, here: bool) {
    password(html, hint, here);
    secret(html, "again", "Password again", false);
    end(html, "");
}

fn secret(html: &mut Html, name: &'static str, label: &'static str, here: bool) {
    html.markup("<div class=\"field\"><label for=\"")
        .markup(name)
        .markup("\">")
        .markup(label)
        .markup("</label><input id=\"")
        .markup(name)
        .markup("\" name=\"")
        .markup(name)
        .markup("\" type=\"password\" autocomplete=\"new-password\" minlength=\"8\" ")
        .markup("maxlength=\"1024\" required");
    focus(html, here);
    html.markup(">");
}

/// The end of a field, with a hint where there is one.
fn end(html: &mut Html, hint: &'static str) {
    if !hint.is_empty() {
        html.markup("<span class=\"hint\">")
            .markup(hint)
            .markup("</span>");
    }
    html.markup("</div>");
}

/// What comes after an account can log in. `url` is what clients call the server.
pub(super) fn next_steps(html: &mut Html, url: &str) {
    log_in(html, url);
    html.markup("<form method=\"get\" action=\"/device\">")
        .markup("<button class=\"wide\">Connect a device</button></form>");
}

/// The command that logs in from a terminal.
pub(super) fn log_in(html: &mut Html, url: &str) {
    html.markup("<h2>On your own machine</h2><pre><code>wharf auth login --api-url ")
        .text(url)
        .markup("</code></pre>");
}
