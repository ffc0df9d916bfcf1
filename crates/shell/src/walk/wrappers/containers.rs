//! Commands inside of containers, and what a container is given of its host.

use super::super::Walker;
use super::super::arg::Arg;
use super::super::code::is_shell;
use super::table::prefix;
use crate::effects::{Call, Options};
use crate::place::{self, Class, Place};

impl Walker<'_> {
    pub(super) fn container<'t>(&mut self, call: &Call<'_, 't>) {
        let own = prefix(
            "docker",
            if call.name == "nerdctl" {
                "Hnaf"
            } else {
                "HclfpC"
            },
            &[
                "--host",
                "--config",
                "--context",
                "--log-level",
                "--file",
                "--project-name",
                "--profile",
                "--env-file",
                "--project-directory",
                "--namespace",
                "--address",
                "--snapshotter",
                "--url",
                "--connection",
                "--root",
                "--runroot",
            ],
            0,
            false,
        );
        let mut start = Self::command_start(&own, call.args);
        let composed = call.args.get(start).is_some_and(|arg| arg.is("compose"))
            || call.name == "docker-compose";
        if call.args.get(start).is_some_and(|arg| arg.is("compose")) {
            start += 1 + Self::command_start(&own, call.args.get(start + 1..).unwrap_or_default());
        }
        if call.args.get(start).is_some_and(|arg| arg.is("container")) {
            start += 1;
        }
        let Some(verb) = call.args.get(start) else {
            return;
        };
        let rest = call.args.get(start + 1..).unwrap_or_default();
        if !matches!(verb.text.as_ref(), "exec" | "run" | "create") {
            return;
        }
        let options = if verb.is("exec") {
            prefix(
                "exec",
                "euw",
                &[
                    "--env",
                    "--user",
                    "--workdir",
                    "--env-file",
                    "--detach-keys",
                    "--index",
                ],
                1,
                false,
            )
        } else {
            prefix("run", "aceuhlmpvw", RUN_VALUES, 1, false)
        };
        let start = Self::command_start(&options, rest);
        let (own, command) = rest.split_at(start.min(rest.len()));
        if verb.is("run") || verb.is("create") {
            self.container_options(call, own);
        }
        let entry = own.iter().enumerate().find_map(|(index, arg)| {
            match arg.text.strip_prefix("--entrypoint") {
                Some("") => own.get(index + 1).cloned(),
                Some(value) => value.strip_prefix('=').map(|value| Arg {
                    text: value.to_owned().into(),
                    word: None,
                    ..arg.clone()
                }),
                None => None,
            }
        });
        if let (None, Some(image), true) = (&entry, own.last(), verb.is("run")) {
            self.image_of_tool(call, image, command);
        }
        let mut args: Vec<Arg<'t>> = entry.into_iter().collect();
        args.extend_from_slice(command);
        if args.is_empty() {
            return;
        }
        let throwaway =
            verb.is("run") && !composed && own.iter().any(|arg| arg.is("--rm")) && !shares(own);
        let place = if throwaway {
            Place::throwaway()
        } else {
            Place::container(mounts_host(own))
        };
        let via = call.name.to_owned();
        self.at_place(&via, place, |w| {
            w.scoped(|w| w.inner(|w| w.call(call.source, &args)));
        });
    }

    /// An image that is named for a tool and runs it: `hashicorp/terraform:1.7 apply`.
    fn image_of_tool<'t>(&mut self, call: &Call<'_, 't>, image: &Arg<'t>, command: &[Arg<'t>]) {
        let name = image.text.rsplit('/').next().unwrap_or_default();
        let name = name.split([':', '@']).next().unwrap_or_default();
        let name = match name {
            "aws-cli" => "aws",
            "azure-cli" => "az",
            "google-cloud-cli" | "cloud-sdk" => "gcloud",
            name => name,
        };
        let is_program = |word: &str| crate::registry::contains(word) || word.contains('/');
        let own_command = command.first().is_none_or(|arg| is_program(&arg.text));
        if own_command || !crate::registry::contains(name) || is_shell(name) {
            return;
        }
        let mut args = vec![Arg {
            text: name.to_owned().into(),
            word: None,
            ..image.clone()
        }];
        args.extend_from_slice(command);
        let programs = self.found.programs.len();
        let via = call.name.to_owned();
        self.at_place(&via, Place::container(false), |w| {
            w.scoped(|w| w.inner(|w| w.call(call.source, &args)));
        });
        // What stands in the text is the image.
        self.found.programs.truncate(programs);
    }

    /// Options that give a container the host.
    fn container_options(&mut self, call: &Call<'_, '_>, own: &[Arg<'_>]) {
        let mut previous = "";
        for arg in own {
            let text = arg.text.as_ref();
            let value = text.split_once('=').map_or(text, |(_, value)| value);
            let mount = matches!(previous, "-v" | "--volume" | "--mount")
                || ends_with_mount(previous)
                || text.starts_with("-v=")
                || text.starts_with("--volume=")
                || text.starts_with("--mount=")
                || text.starts_with("-v/");
            if mount {
                let source = value
                    .trim_start_matches("-v")
                    .split(':')
                    .next()
                    .unwrap_or_default();
                let bound = value
                    .split(',')
                    .find_map(|part| {
                        part.strip_prefix("source=")
                            .or_else(|| part.strip_prefix("src="))
                    })
                    .unwrap_or(source);
                let all = bound.starts_with('/')
                    && matches!(
                        self.place.class(bound, false),
                        Class::Root | Class::SystemRoot | Class::HomeRoot | Class::Disk
                    );
                let state = [
                    "/var/run",
                    "/var/lib/docker",
                    "/var/lib/kubelet",
                    "/var/lib/containerd",
                    "/usr/bin",
                    "/usr/local/bin",
                    "/etc/cron.d",
                    "/etc/ssh",
                    "/run/user",
                ]
                .contains(&bound.trim_end_matches('/'));
                let agent = bound.starts_with("/tmp/ssh-")
                    || arg
                        .word
                        .is_some_and(|word| call.source.slice(word.span).contains("SSH_AUTH_SOCK"));
                if all
                    || state
                    || agent
                    || place::holds_credentials(&self.place.resolve(bound))
                    || bound.ends_with("podman.sock")
                    || bound.ends_with("crio.sock")
                    || bound.ends_with("docker.sock")
                    || bound.ends_with("containerd.sock")
                {
                    self.found.note("container-host-access", call.span);
                }
            }
            let shared = ["--pid", "--ipc", "--userns", "--uts", "--cgroupns"];
            let host = matches!(
                text,
                "--privileged"
                    | "--privileged=true"
                    | "--pid=host"
                    | "--ipc=host"
                    | "--userns=host"
                    | "--uts=host"
                    | "--cgroupns=host"
            ) || (shared.contains(&previous) && text == "host")
                || (previous == "--security-opt" && text.contains("label=disable"))
                || (matches!(previous, "--cap-add" | "--cap-add=") && is_grave(text))
                || text.strip_prefix("--cap-add=").is_some_and(is_grave)
                || text.to_ascii_lowercase().starts_with("--cap-add=sys_")
                || text.eq_ignore_ascii_case("--cap-add=all")
                || (previous == "--cap-add"
                    && (text.to_ascii_lowercase().starts_with("sys_")
                        || text.eq_ignore_ascii_case("all")))
                || text.starts_with("--device=/dev/sd")
                || text.starts_with("--device=/dev/nvme")
                || text.starts_with("--device=/dev/mem")
                || text.starts_with("--device=/dev/kmem")
                || (previous == "--device"
                    && ["/dev/sd", "/dev/nvme", "/dev/mem", "/dev/kmem"]
                        .iter()
                        .any(|device| text.starts_with(device)))
                || text.contains("apparmor=unconfined")
                || text.contains("seccomp=unconfined");
            if host {
                self.found.note("container-host-access", call.span);
            }
            previous = text;
        }
    }

    pub(super) fn kubectl<'t>(&mut self, call: &Call<'_, 't>) {
        let options = Options::read(call);
        if options.starts_with("rsh") {
            let own = prefix(
                "rsh",
                "cfn",
                &[
                    "--container",
                    "--filename",
                    "--shell",
                    "--timeout",
                    "--namespace",
                ],
                1,
                false,
            );
            let at = call.args.iter().position(|arg| arg.is("rsh"));
            let rest = at
                .and_then(|at| call.args.get(at + 1..))
                .unwrap_or_default();
            let start = Self::command_start(&own, rest);
            let command = rest.get(start.min(rest.len())..).unwrap_or_default();
            let dashes = usize::from(command.first().is_some_and(|arg| arg.is("--")));
            let command = command.get(dashes..).unwrap_or_default();
            return self.at_place("oc", Place::container(false), |w| {
                w.scoped(|w| w.inner(|w| w.call(call.source, command)));
            });
        }
        if !options.starts_with("exec")
            && !options.starts_with("run")
            && !options.starts_with("debug")
        {
            return;
        }
        let Some(at) = call.args.iter().position(|arg| arg.is("--")) else {
            // The old form: exec POD COMMAND.
            let command: Vec<Arg<'t>> = options
                .operands
                .iter()
                .skip(2)
                .map(|arg| (*arg).clone())
                .collect();
            if options.starts_with("exec") && !command.is_empty() {
                self.at_place("kubectl", Place::container(false), |w| {
                    w.scoped(|w| w.inner(|w| w.call(call.source, &command)));
                });
            }
            return;
        };
        let command = call.args.get(at + 1..).unwrap_or_default();
        self.at_place("kubectl", Place::container(false), |w| {
            w.scoped(|w| w.inner(|w| w.call(call.source, command)));
        });
    }
}

/// Options of `docker run` that take the next word.
const RUN_VALUES: &[&str] = &[
    "--name",
    "--volume",
    "--mount",
    "--env",
    "--env-file",
    "--user",
    "--workdir",
    "--network",
    "--net",
    "--publish",
    "--entrypoint",
    "--hostname",
    "--memory",
    "--cpus",
    "--restart",
    "--label",
    "--platform",
    "--gpus",
    "--device",
    "--cap-add",
    "--cap-drop",
    "--security-opt",
    "--shm-size",
    "--ulimit",
    "--add-host",
    "--pid",
    "--ipc",
    "--userns",
    "--tmpfs",
    "--dns",
    "--pull",
    "--expose",
    "--link",
    "--log-driver",
    "--log-opt",
    "--volumes-from",
    "--group-add",
    "--health-cmd",
    "--stop-signal",
    "--stop-timeout",
    "--cidfile",
    "--cpu-shares",
    "--cpuset-cpus",
    "--memory-swap",
    "--runtime",
    "--sysctl",
    "--ip",
    "--mac-address",
    "--init-path",
    "--network-alias",
];

/// Capabilities with which a container is as good as its host.
fn is_grave(capability: &str) -> bool {
    let name = capability.to_ascii_lowercase();
    let name = name.strip_prefix("cap_").unwrap_or(&name);
    name.starts_with("sys_")
        || matches!(
            name,
            "all"
                | "dac_read_search"
                | "dac_override"
                | "net_admin"
                | "bpf"
                | "mknod"
                | "setfcap"
                | "mac_admin"
        )
}

/// Whether something of the host, or of another container, is in it.
fn shares(own: &[Arg<'_>]) -> bool {
    own.iter().any(|arg| {
        let text = arg.text.as_ref();
        ends_with_mount(text)
            || text.starts_with("-v")
            || [
                "--volume",
                "--mount",
                "--volumes-from",
                "--device",
                "--privileged",
                "--pid",
                "--use-api-socket",
            ]
            .iter()
            .any(|option| text.starts_with(option))
    })
}

/// Whether a cluster such as `-dv` takes a mount next.
fn ends_with_mount(option: &str) -> bool {
    let letters = option.strip_prefix('-').unwrap_or_default();
    letters.ends_with('v') && letters.bytes().all(|b| b"ditv".contains(&b))
}

/// Whether a root of the host is mounted into the container.
fn mounts_host(own: &[Arg<'_>]) -> bool {
    own.iter().any(|arg| {
        let value = arg
            .text
            .split_once('=')
            .map_or(arg.text.as_ref(), |(_, value)| value);
        value.starts_with("/:/")
    })
}
