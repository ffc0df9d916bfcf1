//! Containers and machines: which host they are on, and what they are given of it.

use super::files::value_of;
use super::{Call, Options};
use crate::place::Class;
use crate::rules;
use crate::walk::Walker;

/// Verbs of `docker compose` that stop or remove what a file describes.
const ENDS: &[&str] = &[
    "down", "stop", "rm", "kill", "restart", "up", "pause", "create", "start",
];

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    match call.name {
        "docker" | "podman" | "docker-compose" | "nerdctl" | "podman-compose" => {
            elsewhere(walker, call, options);
            compose_file(walker, call, options);
        }
        "lxc" | "incus" => system_container(walker, call, options),
        "kubectl" | "oc" => secrets(walker, call, options),
        "terraform" | "tofu" | "terragrunt" | "pulumi" => outputs(walker, call, options),
        _ => {}
    }
}

/// A variable says that the containers are those of another machine.
fn elsewhere(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let names = ["DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST"];
    let remote = names.iter().any(|name| {
        walker.get(name).is_some_and(|value| {
            value.fields.iter().any(|(text, _)| {
                !text.is_empty()
                    && text != "default"
                    && !text.starts_with("unix:")
                    && !text.contains("localhost")
            })
        })
    });
    let Some(rule) = rules::named("containers-elsewhere").filter(|_| remote) else {
        return;
    };
    if rule.sub.iter().any(|sub| options.starts_with(sub)) {
        walker.found.report(rule, call.span);
    }
}

/// `docker compose -f FILE down`, where the file is that of another project.
fn compose_file(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let at = usize::from(options.starts_with("compose"));
    if call.name == "docker" && at == 0 {
        return;
    }
    let ends = options
        .operand(at)
        .is_some_and(|verb| ENDS.contains(&verb.text.as_ref()));
    if !ends {
        return;
    }
    for file in value_of(call, &["-f", "--file", "--project-directory"]) {
        let class = walker.place.class(&file.text, file.traits.glob);
        if matches!(
            class,
            Class::Home
                | Class::HomeRoot
                | Class::Outside
                | Class::System
                | Class::SystemRoot
                | Class::Root
        ) {
            walker.found.note("containers-of-others", file.span);
        }
    }
}

/// `lxc config device add c d disk source=/ path=/h`, `security.privileged=true`.
fn system_container(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let privileged = call.args.iter().any(|arg| {
        arg.text.contains("security.privileged")
            || arg.text.contains("raw.lxc")
            || arg.text.contains("raw.qemu")
    });
    let reads = ["list", "info", "config show", "config get", "profile show"];
    let source = call
        .args
        .iter()
        .filter_map(|arg| arg.text.strip_prefix("source="))
        .any(|source| {
            matches!(
                walker.place.class(source, false),
                Class::Root | Class::SystemRoot | Class::HomeRoot | Class::Disk
            ) || source.ends_with(".sock")
        });
    if (privileged || source) && !reads.iter().any(|words| options.starts_with(words)) {
        walker.found.note("container-host-access", call.span);
    }
}

/// `kubectl get secret x -o yaml`: the names of secrets are no secret, what is in them is.
fn secrets(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    if !options.starts_with("get") {
        return;
    }
    let kinds = options.operand(1).map_or("", |arg| arg.text.as_ref());
    let secret = kinds
        .split([',', '/'])
        .any(|kind| matches!(kind, "secret" | "secrets" | "sealedsecret"));
    if !secret {
        return;
    }
    let named = value_of(call, &["-o", "--output"]);
    let columns = |text: &str| {
        text.starts_with("custom-columns")
            && !text.contains(".data")
            && !text.contains(".stringData")
    };
    let shown = named.iter().any(|format| {
        let format = format.text.trim_start_matches('=');
        !matches!(format, "name" | "wide") && !columns(format)
    });
    if shown || options.has("--template") {
        walker.found.note("cluster-secret", call.span);
    }
}

/// `terraform output -raw db_password`, `pulumi config --show-secrets`.
fn outputs(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    const SECRETS: &[&str] = &[
        "password",
        "passwd",
        "secret",
        "token",
        "private",
        "credential",
        "api_key",
        "apikey",
        "access_key",
        "kubeconfig",
        "connection_string",
    ];
    let secret = |text: &str| {
        let text = text.to_ascii_lowercase();
        SECRETS.iter().any(|word| text.contains(word))
    };
    let printed = options.starts_with("output") || options.starts_with("stack output");
    let named = printed && options.operands.iter().skip(1).any(|arg| secret(&arg.text));
    if named || options.has("--show-secrets") {
        walker.found.note("token-printed", call.span);
    }
}
