//! `/device`: a person lets a device in, or does not.

use super::fields::{error, focus};
use super::html::Html;

/// Signing in, which is asked for first.
#[derive(Debug, Default)]
pub(crate) struct SignIn<'a> {
    pub(crate) csrf: &'a str,
    pub(crate) email: &'a str,
    /// The device's code, kept for afterwards.
    pub(crate) code: &'a str,
    pub(crate) error: Option<&'a str>,
}

/// Entering the code, or confirming the one that the address brought.
#[derive(Debug, Default)]
pub(crate) struct EnterCode<'a> {
    pub(crate) csrf: &'a str,
    pub(crate) who: &'a str,
    pub(crate) code: &'a str,
    pub(crate) error: Option<&'a str>,
}

/// Who asks, for what, and the two answers.
#[derive(Debug, Default)]
pub(crate) struct Confirm<'a> {
    pub(crate) csrf: &'a str,
    pub(crate) who: &'a str,
    pub(crate) code: &'a str,
    pub(crate) device: &'a str,
    pub(crate) address: &'a str,
    /// The person's own address, where it is another one.
    pub(crate) own_address: Option<&'a str>,
    /// Such as `2026-01-02 03:04 UTC`.
    pub(crate) asked_at: &'a str,
    /// Such as `2 minutes ago`.
    pub(crate) asked_ago: &'a str,
    pub(crate) scopes: &'a [String],
    pub(crate) organizations: &'a [Choice],
    pub(crate) error: Option<&'a str>,
}

/// An organization that may be chosen.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) chosen: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Allowed,
    Denied,
}

pub(crate) fn sign_in(view: &SignIn<'_>) -> Html {
    let mut html = Html::new();
    html.markup("<h1>Sign in to connect a device</h1>")
        .markup("<p class=\"lead\">Then you see which device asks, and decide.</p>");
    error(&mut html, view.error);
    html.markup("<form method=\"post\" action=\"/device\">");
    html.hidden("step", "sign-in").hidden("csrf", view.csrf);
    html.hidden("code", view.code);
    html.markup("<div class=\"field\"><label for=\"email\">E-mail</label>")
        .markup("<input id=\"email\" name=\"email\" type=\"email\" autocomplete=\"username\" ")
        .markup("maxlength=\"254\" required");
    focus(&mut html, view.email.is_empty());
    html.markup(" value=\"")
        .text(view.email)
        .markup("\"></div>");
    html.markup("<div class=\"field\"><label for=\"password\">Password</label>")
        .markup("<input id=\"password\" name=\"password\" type=\"password\" ")
        .markup("autocomplete=\"current-password\" maxlength=\"1024\" required");
    focus(&mut html, !view.email.is_empty());
    html.markup("></div><button class=\"main wide\">Sign in</button></form>")
        .markup("<form class=\"who\" method=\"get\" action=\"/reset\">")
        .markup("<span>No password, or lost it?</span>")
        .markup("<button class=\"link\">Set one by a code</button></form>");
    html
}

pub(crate) fn enter_code(view: &EnterCode<'_>) -> Html {
    let mut html = Html::new();
    html.markup("<h1>Connect a device</h1><p class=\"lead\">")
        .markup(if view.code.is_empty() {
            "Enter the code that the device shows. "
        } else {
            "Does the device show this code? Go on only if it does, and if you began this yourself. "
        })
        .markup("</p>");
    error(&mut html, view.error);
    html.markup("<form method=\"post\" action=\"/device\">");
    html.hidden("step", "look").hidden("csrf", view.csrf);
    html.markup("<div class=\"field\"><label for=\"code\">Code</label>")
        .markup("<input id=\"code\" class=\"code\" name=\"code\" autocomplete=\"off\" ")
        .markup("autocapitalize=\"characters\" autocorrect=\"off\" spellcheck=\"false\" ")
        .markup("maxlength=\"20\" placeholder=\"ABCD-1234\" required");
    focus(&mut html, true);
    html.markup(" value=\"").text(view.code).markup("\">");
    html.markup("<span class=\"hint\">Four letters and four digits; the dash and capitals do not ")
        .markup("matter.</span></div><button class=\"main wide\">Continue</button></form>");
    who(&mut html, view.who, view.csrf, view.code);
    html
}

pub(crate) fn confirm(view: &Confirm<'_>) -> Html {
    let mut html = Html::new();
    html.markup("<h1>Let this device in?</h1>")
        .markup("<p class=\"lead\">It would act as you until its key ends or you revoke it.</p>");
    error(&mut html, view.error);
    html.markup("<div class=\"code-shown\"><b>")
        .text(view.code)
        .markup("</b><span>Compare with the code on the device</span></div>");
    html.markup("<dl><dt>Device</dt><dd>").text(view.device);
    html.markup("</dd><dt>Address</dt><dd>").text(view.address);
    if let Some(own) = view.own_address {
        html.markup("<small>not the address that you are at, ")
            .text(own)
            .markup("</small>");
    }
    html.markup("</dd><dt>Asked</dt><dd>").text(view.asked_ago);
    html.markup("<small>").text(view.asked_at);
    html.markup("</small></dd></dl><h2>It asks for</h2><ul>");
    for scope in view.scopes {
        html.markup("<li>").markup(meaning(scope));
        html.markup(" <small>").text(scope).markup("</small></li>");
    }
    html.markup("</ul><form method=\"post\" action=\"/device\">");
    html.hidden("step", "answer").hidden("csrf", view.csrf);
    html.hidden("code", view.code);
    organizations(&mut html, view.organizations);
    html.markup("<p class=\"note care\">If you did not start this yourself, just now, deny it: ")
        .markup("somebody may be trying to get in with your account.</p>");
    html.markup("<div class=\"buttons\">")
        .markup("<button name=\"answer\" value=\"deny\">Deny</button>")
        .markup(
            "<button class=\"main\" name=\"answer\" value=\"allow\">Allow</button></div></form>",
        );
    who(&mut html, view.who, view.csrf, view.code);
    html
}

pub(crate) fn ended(end: End, device: &str, organization: &str) -> Html {
    let mut html = Html::new();
    match end {
        End::Allowed => {
            html.markup(CHECK)
                .markup("<h1>The device is connected</h1>");
            html.markup("<p class=\"lead\"><b>").text(device);
            html.markup("</b> has a key of its own now, for <b>");
            html.text(organization).markup("</b>.</p>");
            html.markup("<p>You can close this page. The key is in <code>wharf key list</code>, ")
                .markup("and <code>wharf key revoke</code> ends it.</p>");
        }
        End::Denied => {
            html.markup(CROSS)
                .markup("<h1>The device was not let in</h1>");
            html.markup("<p class=\"lead\"><b>").text(device);
            html.markup("</b> has been told so. Nothing else has changed.</p>")
                .markup("<p>If you did not start this yourself, somebody may have tried to get in ")
                .markup("with your account: tell whoever looks after this server.</p>");
        }
    }
    html
}

const CHECK: &str = "<svg class=\"mark good\" viewBox=\"0 0 48 48\" fill=\"none\" \
    stroke=\"currentColor\" stroke-width=\"3\" stroke-linecap=\"round\" stroke-linejoin=\"round\" \
    aria-hidden=\"true\"><circle cx=\"24\" cy=\"24\" r=\"21\"/><path d=\"m14.5 24.5 6.5 6.5 \
12.5-13\"/></svg>";
const CROSS: &str = "<svg class=\"mark bad\" viewBox=\"0 0 48 48\" fill=\"none\" \
    stroke=\"currentColor\" stroke-width=\"3\" stroke-linecap=\"round\" aria-hidden=\"true\">\
    <circle cx=\"24\" cy=\"24\" r=\"21\"/><path d=\"m17 17 14 14M31 17 17 31\"/></svg>";

/// One organization is said, several can be chosen from.
fn organizations(html: &mut Html, all: &[Choice]) {
    if let [only] = all {
        html.hidden("organization", &only.id);
        html.markup("<p>For <b>").text(&only.name);
        html.markup("</b>, as ").markup(only.role).markup(".</p>");
        return;
    }
    html.markup("<div class=\"field\"><label for=\"organization\">For which organization</label>")
        .markup("<select id=\"organization\" name=\"organization\" required>");
    for choice in all {
        html.markup("<option value=\"")
            .text(&choice.id)
            .markup("\"");
        html.markup(if choice.chosen { " selected>" } else { ">" });
        html.text(&choice.name).markup(" (");
        html.markup(choice.role).markup(")</option>");
    }
    html.markup("</select></div>");
}

fn who(html: &mut Html, who: &str, csrf: &str, code: &str) {
    html.markup("<form class=\"who\" method=\"post\" action=\"/device\">");
    html.hidden("step", "sign-out").hidden("csrf", csrf);
    html.hidden("code", code);
    html.markup("<span>Signed in as ").text(who);
    html.markup("</span><button class=\"link\">Not you?</button></form>");
}

fn meaning(scope: &str) -> &'static str {
    match scope {
        "run" => "Running commands, sessions and files",
        "run:low" => "Running commands that are judged harmless",
        "sync" => "Agent configuration",
        "admin" => "Looking after accounts and keys, as far as you may",
        scope if scope.starts_with("session:") => "Running commands in one session",
        _ => "Something that this page does not know",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "\"><img src=x onerror=alert(1)>'";

    #[test]
    fn nothing_that_came_from_elsewhere_becomes_markup() {
        let choice = || Choice {
            id: EVIL.to_owned(),
            name: EVIL.to_owned(),
            role: "owner",
            chosen: false,
        };
        let scopes = [EVIL.to_owned()];
        let confirm_with = |organizations: &[Choice]| {
            confirm(&Confirm {
                csrf: EVIL,
                who: EVIL,
                code: EVIL,
                device: EVIL,
                address: EVIL,
                own_address: Some("192.0.2.1"),
                asked_at: EVIL,
                asked_ago: EVIL,
                scopes: &scopes,
                organizations,
                error: Some(EVIL),
            })
        };
        for page in [
            sign_in(&SignIn {
                csrf: EVIL,
                email: EVIL,
                code: EVIL,
                error: Some(EVIL),
            }),
            enter_code(&EnterCode {
                csrf: EVIL,
                who: EVIL,
                code: EVIL,
                error: Some(EVIL),
            }),
            confirm_with(&[choice()]),
            confirm_with(&[choice(), choice()]),
            ended(End::Allowed, EVIL, EVIL),
            ended(End::Denied, EVIL, EVIL),
        ] {
            let text = page.into_string();
            assert!(!text.contains("<img") && !text.contains("\">'"), "{text}");
            assert!(text.contains("&lt;img"), "{text}");
        }
    }

    #[test]
    fn the_two_answers_are_in_one_form_and_neither_is_given_by_itself() {
        let text = confirm(&Confirm::default()).into_string();
        let form = text
            .split("<form")
            .find(|form| form.contains("answer"))
            .unwrap();
        assert!(form.contains("value=\"allow\"") && form.contains("value=\"deny\""));
        assert!(!text.contains("<script") && !text.contains("http-equiv"));
    }
}
