//! This device: its name, its id, and how somebody sits at it.

use wharf_localstate::device_id;

use crate::context::Context;
use crate::error::CommandError;
use crate::wire::SystemEntropy;

/// The longest name of a device that a server takes, in characters.
const NAME_CHARS_MAX: usize = 100;

/// What logins and keys of this device are called: the machine's name.
pub(crate) fn name() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    if name.is_empty() {
        "this device".to_owned()
    } else {
        name
    }
}

/// By what this device is known wherever its name is not enough, made now if there is none.
pub(crate) fn id(cx: &Context) -> Result<String, CommandError> {
    cx.places.make_state()?;
    Ok(device_id::load_or_create(
        &cx.places.device_id_file(),
        &SystemEntropy,
    )?)
}

/// Why no browser is opened here; none where one can be.
pub(crate) fn no_browser(cx: &Context) -> Option<&'static str> {
    let has = |name| cx.world.has(name);
    if has("SSH_CONNECTION") || has("SSH_TTY") || has("SSH_CLIENT") {
        return Some("SSH session");
    }
    if has("WHARF_BROWSER") {
        return None;
    }
    if has("WSL_DISTRO_NAME") || has("WSL_INTEROP") {
        return Some("WSL");
    }
    if !(has("DISPLAY") || has("WAYLAND_DISPLAY")) {
        return Some("no display");
    }
    None
}

/// The program that opens a page, and its arguments.
pub(crate) fn browser(cx: &Context, url: &str) -> (String, Vec<String>) {
    let named = ["WHARF_BROWSER", "BROWSER"].into_iter();
    let mut named = named
        .filter_map(|name| cx.world.variable(name))
        .filter(|it| !it.is_empty());
    split(&named.next().unwrap_or_default(), url)
}

/// Words are divided by blanks; `%s` is where the address goes, else it goes to the end.
fn split(text: &str, url: &str) -> (String, Vec<String>) {
    let mut words = text.split_whitespace();
    let program = words.next().unwrap_or("xdg-open").to_owned();
    let mut args: Vec<String> = words.map(|word| word.replace("%s", url)).collect();
    if !text.contains("%s") {
        args.push(url.to_owned());
    }
    (program, args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_may_have_arguments() {
        for (text, program, args) in [
            ("", "xdg-open", vec!["http://a"]),
            ("firefox", "firefox", vec!["http://a"]),
            (
                "firefox --new-tab",
                "firefox",
                vec!["--new-tab", "http://a"],
            ),
            ("open -u=%s -x", "open", vec!["-u=http://a", "-x"]),
        ] {
            let (found, with) = split(text, "http://a");
            assert_eq!(
                (found.as_str(), with),
                (program, args.into_iter().map(String::from).collect())
            );
        }
    }
}
