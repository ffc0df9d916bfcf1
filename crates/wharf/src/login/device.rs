//! This device: its name, and how somebody sits at it.

use crate::context::Context;

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

/// The program that opens a page.
pub(crate) fn browser(cx: &Context) -> String {
    let named = ["WHARF_BROWSER", "BROWSER"].into_iter();
    let mut named = named
        .filter_map(|name| cx.world.variable(name))
        .filter(|it| !it.is_empty());
    named.next().unwrap_or_else(|| "xdg-open".to_owned())
}
