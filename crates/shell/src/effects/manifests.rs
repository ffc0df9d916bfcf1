//! What runs containers as a file says: the file is looked into where the text itself holds it, for
//! what gives a container its host.

use super::files::value_of;
use super::{Call, Options};
use crate::walk::{Feed, Walker};

/// Keys, with their values, by which a container is given the host.
const HOST_KEYS: &[(&str, &str)] = &[
    ("privileged", "true"),
    ("pid", "host"),
    ("ipc", "host"),
    ("userns_mode", "host"),
    ("cgroup", "host"),
    ("hostPID", "true"),
    ("hostIPC", "true"),
    ("hostNetwork", "true"),
    ("allowPrivilegeEscalation", "true"),
    ("path", "/"),
    ("path", "/etc"),
    ("path", "/root"),
];

/// Paths of the host that no container needs for ordinary work.
const HOST_MOUNTS: &[&str] = &[
    "/:", "/etc:", "/root:", "/proc:", "/sys:", "/dev:", "/boot:",
];

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let composes = matches!(call.name, "docker" | "podman" | "nerdctl")
        && options.starts_with("compose")
        || matches!(call.name, "docker-compose" | "podman-compose")
        || matches!(call.name, "docker") && options.starts_with("stack deploy");
    let applies = matches!(call.name, "kubectl" | "oc" | "k3s" | "podman")
        && ["apply", "create", "replace", "kube play"]
            .iter()
            .any(|verb| options.starts_with(verb));
    if !composes && !applies {
        return;
    }
    for file in value_of(call, &["-f", "--filename", "--file"]) {
        let text = if matches!(file.text.as_ref(), "-" | "/dev/stdin") {
            match &walker.feed {
                Feed::Text(text) => text.text.clone(),
                _ => continue,
            }
        } else {
            match walker
                .content_of(&file.text)
                .and_then(|content| content.text)
            {
                Some(text) => text.text.clone(),
                None => continue,
            }
        };
        if walker.charge(text.len(), file.span) && gives_host(&text) {
            walker.found.note("container-host-access", file.span);
        }
    }
}

/// Whether a line of YAML or JSON gives a container its host.
fn gives_host(manifest: &str) -> bool {
    let items = manifest.split(['\n', ',', '{', '}']);
    items.into_iter().any(|item| {
        let item = item
            .trim()
            .trim_start_matches("- ")
            .trim_matches(['"', '\'']);
        if item.contains("docker.sock") || item.contains("containerd.sock") {
            return true;
        }
        if HOST_MOUNTS.iter().any(|mount| item.starts_with(mount)) {
            return true;
        }
        let Some((key, value)) = item.split_once(':') else {
            return false;
        };
        let key = key.trim().trim_matches(['"', '\'']);
        let value = value.trim().trim_matches(['"', '\'']);
        HOST_KEYS.contains(&(key, value))
    })
}
