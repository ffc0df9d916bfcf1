//! Fields that several forms have.

use super::device::focus;
use super::html::Html;

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
    html.markup(" value=\"")
        .text(value)
        .markup("\"><span class=\"hint\">")
        .markup(hint)
        .markup("</span></div>");
}

/// A password that is typed twice; never shown again.
pub(super) fn password_twice(html: &mut Html, hint: &'static str, here: bool) {
    html.markup("<div class=\"field\"><label for=\"password\">Password</label>")
        .markup("<input id=\"password\" name=\"password\" type=\"password\" ")
        .markup("autocomplete=\"new-password\" minlength=\"8\" maxlength=\"1024\" required");
    focus(html, here);
    html.markup("><span class=\"hint\">")
        .markup(hint)
        .markup("</span></div><div class=\"field\"><label for=\"again\">Password again</label>")
        .markup("<input id=\"again\" name=\"again\" type=\"password\" ")
        .markup("autocomplete=\"new-password\" minlength=\"8\" maxlength=\"1024\" required>")
        .markup("</div>");
}

/// What comes after an account can log in. `url` is what clients call the server.
pub(super) fn next_steps(html: &mut Html, url: &str) {
    html.markup("<h2>On your own machine</h2><pre><code>wharf auth login --api-url ")
        .text(url)
        .markup("</code></pre><form method=\"get\" action=\"/device\">")
        .markup("<button class=\"wide\">Connect a device</button></form>");
}
