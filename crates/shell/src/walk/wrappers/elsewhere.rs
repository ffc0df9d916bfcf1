//! Commands that a tool takes to another machine, into a container, or into an environment.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::super::Walker;
use super::super::arg::Arg;
use super::table::prefix;
use crate::effects::{Call, value_of};
use crate::place::Place;

/// Where the command of a tool runs.
#[derive(Clone, Copy)]
enum Where {
    Remote,
    Container,
    Here,
}

/// How the command is told from the tool's own words.
#[derive(Clone, Copy)]
enum How {
    /// Behind `--`.
    Dashes,
    /// Behind options, of which these letters and words take a value, and some operands.
    Behind(&'static str, &'static [&'static str], usize),
    /// A text for a shell, in an option.
    Text(&'static [&'static str]),
}

struct Runs {
    name: &'static str,
    /// The words that lead to the command.
    verbs: &'static [&'static str],
    how: How,
    place: Where,
}

const fn runs(name: &'static str, verbs: &'static [&'static str], how: How, place: Where) -> Runs {
    Runs {
        name,
        verbs,
        how,
        place,
    }
}

use How::{Behind, Dashes, Text};
use Where::{Container, Here, Remote};

const NO_VALUES: How = Behind("", &[], 0);

const TABLE: &[Runs] = &[
    runs(
        "lxc",
        &["exec"],
        Behind(
            "",
            &["--cwd", "--user", "--group", "--env", "--mode", "--project"],
            1,
        ),
        Container,
    ),
    runs(
        "incus",
        &["exec"],
        Behind(
            "",
            &["--cwd", "--user", "--group", "--env", "--mode", "--project"],
            1,
        ),
        Container,
    ),
    runs("lxc-attach", &[], Dashes, Container),
    runs(
        "multipass",
        &["exec"],
        Behind("d", &["--working-directory"], 1),
        Container,
    ),
    runs(
        "limactl",
        &["shell"],
        Behind("", &["--workdir", "--shell"], 1),
        Container,
    ),
    runs("lima", &[], NO_VALUES, Container),
    runs("colima", &["ssh"], Dashes, Container),
    runs("minikube", &["ssh"], Dashes, Container),
    runs("distrobox", &["enter"], Dashes, Container),
    runs("distrobox-enter", &[], Dashes, Container),
    runs(
        "toolbox",
        &["run"],
        Behind("cdr", &["--container", "--distro", "--release"], 0),
        Container,
    ),
    runs(
        "crictl",
        &["exec"],
        Behind("r", &["--runtime-endpoint"], 1),
        Container,
    ),
    runs(
        "ctr",
        &["exec"],
        Behind("", &["--exec-id", "--cwd", "--user"], 1),
        Container,
    ),
    runs(
        "systemd-nspawn",
        &[],
        Behind(
            "DMiu",
            &[
                "--directory",
                "--machine",
                "--image",
                "--user",
                "--chdir",
                "--bind",
                "--setenv",
            ],
            0,
        ),
        Container,
    ),
    runs(
        "podman-compose",
        &["exec"],
        Behind("ew", &["--env", "--workdir", "--user", "--index"], 1),
        Container,
    ),
    runs(
        "podman-compose",
        &["run"],
        Behind(
            "evuw",
            &[
                "--env",
                "--entrypoint",
                "--name",
                "--user",
                "--workdir",
                "--volume",
            ],
            1,
        ),
        Container,
    ),
    runs(
        "ddev",
        &["exec"],
        Behind("sd", &["--service", "--dir"], 0),
        Container,
    ),
    runs("ddev", &["ssh"], Text(&["-c", "--command"]), Container),
    runs("lando", &["ssh"], Text(&["-c", "--command"]), Container),
    runs("vagrant", &["ssh"], Text(&["-c", "--command"]), Container),
    runs(
        "devcontainer",
        &["exec"],
        Behind(
            "",
            &[
                "--workspace-folder",
                "--container-id",
                "--config",
                "--remote-env",
            ],
            0,
        ),
        Container,
    ),
    runs("gcloud", &["compute", "ssh"], Text(&["--command"]), Remote),
    runs(
        "gcloud",
        &["compute", "tpus", "tpu-vm", "ssh"],
        Text(&["--command"]),
        Remote,
    ),
    runs(
        "gcloud",
        &["cloud-shell", "ssh"],
        Text(&["--command"]),
        Remote,
    ),
    runs("az", &["vm", "run-command"], Text(&["--scripts"]), Remote),
    runs(
        "az",
        &["aks", "command", "invoke"],
        Text(&["-c", "--command"]),
        Remote,
    ),
    runs(
        "az",
        &["container", "exec"],
        Text(&["--exec-command"]),
        Remote,
    ),
    runs("az", &["ssh", "vm"], Dashes, Remote),
    runs(
        "aws",
        &["ecs", "execute-command"],
        Text(&["--command"]),
        Remote,
    ),
    runs("aws", &["emr", "ssh"], Text(&["--command"]), Remote),
    runs(
        "fly",
        &["ssh", "console"],
        Text(&["-C", "--command"]),
        Remote,
    ),
    runs(
        "flyctl",
        &["ssh", "console"],
        Text(&["-C", "--command"]),
        Remote,
    ),
    runs(
        "fly",
        &["machine", "exec"],
        Behind("a", &["--app"], 1),
        Remote,
    ),
    runs(
        "flyctl",
        &["machine", "exec"],
        Behind("a", &["--app"], 1),
        Remote,
    ),
    runs(
        "heroku",
        &["run"],
        Behind(
            "ars",
            &["--app", "--remote", "--size", "--env", "--type"],
            0,
        ),
        Remote,
    ),
    runs(
        "heroku",
        &["run:detached"],
        Behind("ars", &["--app", "--remote", "--size"], 0),
        Remote,
    ),
    runs("heroku", &["ps:exec"], Text(&["-c", "--command"]), Remote),
    runs("cf", &["ssh"], Text(&["-c", "--command"]), Remote),
    runs("cf", &["run-task"], Text(&["-c", "--command"]), Remote),
    runs("eb", &["ssh"], Text(&["-c", "--command"]), Remote),
    runs("copilot", &["exec"], Text(&["-c", "--command"]), Remote),
    runs("railway", &["ssh"], NO_VALUES, Remote),
    runs("dokku", &["run"], Behind("", &[], 1), Remote),
    runs("dokku", &["enter"], Behind("", &[], 2), Remote),
    runs("scalingo", &["run"], Behind("a", &["--app"], 0), Remote),
    runs(
        "nomad",
        &["alloc", "exec"],
        Behind("", &["-task", "-job"], 1),
        Remote,
    ),
    runs(
        "tsh",
        &["ssh"],
        Behind("lp", &["--login", "--proxy", "--cluster"], 1),
        Remote,
    ),
    runs(
        "doctl",
        &["compute", "ssh"],
        Text(&["--ssh-command"]),
        Remote,
    ),
    runs(
        "hcloud",
        &["server", "ssh"],
        Behind("lup", &["-u", "-p"], 1),
        Remote,
    ),
    runs("pdsh", &[], Behind("wxfgtul", &[], 0), Remote),
    runs(
        "dsh",
        &[],
        Behind("mgfr", &["--machine", "--group"], 0),
        Remote,
    ),
    runs(
        "pssh",
        &[],
        Behind(
            "hHlpotexA",
            &["--hosts", "--host", "--user", "--timeout"],
            0,
        ),
        Remote,
    ),
    runs(
        "parallel-ssh",
        &[],
        Behind(
            "hHlpotexA",
            &["--hosts", "--host", "--user", "--timeout"],
            0,
        ),
        Remote,
    ),
    runs("clush", &[], Behind("wxglfu", &["--user"], 0), Remote),
    runs("kamal", &["server", "exec"], NO_VALUES, Remote),
    runs("kamal", &["app", "exec"], NO_VALUES, Remote),
    runs("docker-machine", &["ssh"], Behind("", &[], 1), Remote),
    runs("sg", &[], Behind("", &[], 1), Here),
    runs("arch-chroot", &[], Behind("u", &[], 1), Container),
    runs("schroot", &[], Dashes, Container),
    runs("proot", &[], Behind("rbwq", &[], 0), Container),
    runs("op", &["run"], Dashes, Here),
    runs("doppler", &["run"], Dashes, Here),
    runs("infisical", &["run"], Dashes, Here),
    runs("dotenvx", &["run"], Dashes, Here),
    runs("chamber", &["exec"], Dashes, Here),
    runs("envchain", &[], Behind("", &[], 1), Here),
    runs("teller", &["run"], Dashes, Here),
    runs("bws", &["run"], Dashes, Here),
    runs("sops", &["exec-env"], Behind("", &[], 1), Here),
    runs("sops", &["exec-file"], Behind("", &[], 1), Here),
    runs("direnv", &["exec"], Behind("", &[], 1), Here),
    runs("mise", &["exec"], Dashes, Here),
    runs("mise", &["x"], Dashes, Here),
    runs("asdf", &["exec"], NO_VALUES, Here),
    runs("rbenv", &["exec"], NO_VALUES, Here),
    runs("pyenv", &["exec"], NO_VALUES, Here),
    runs("nodenv", &["exec"], NO_VALUES, Here),
    runs(
        "volta",
        &["run"],
        Behind("", &["--node", "--npm", "--yarn"], 0),
        Here,
    ),
    runs("fnm", &["exec"], Behind("", &["--using"], 0), Here),
    runs("devbox", &["run"], Dashes, Here),
    runs("nix", &["develop"], Behind("", &[], 0), Here),
    runs("guix", &["shell"], Dashes, Here),
    runs(
        "pixi",
        &["run"],
        Behind("e", &["--environment", "--manifest-path"], 0),
        Here,
    ),
    runs(
        "micromamba",
        &["run"],
        Behind("np", &["--name", "--prefix"], 0),
        Here,
    ),
    runs(
        "mamba",
        &["run"],
        Behind("np", &["--name", "--prefix"], 0),
        Here,
    ),
    runs("with-contenv", &[], NO_VALUES, Here),
    runs("cross-env", &[], Behind("", &[], 0), Here),
    runs("dotenv-cli", &[], Dashes, Here),
    runs("retry", &[], Behind("td", &["--times", "--delay"], 0), Here),
    runs("chronic", &[], NO_VALUES, Here),
    runs("softlimit", &[], Behind("amdo", &[], 0), Here),
    runs("s6-setuidgid", &[], Behind("", &[], 1), Here),
    runs("trickle", &[], Behind("dut", &[], 0), Here),
    runs("eatmydata", &[], NO_VALUES, Here),
    runs("rr", &["record"], NO_VALUES, Here),
    runs("heaptrack", &[], NO_VALUES, Here),
    runs("bear", &[], Dashes, Here),
    runs("intercept-build", &[], NO_VALUES, Here),
    runs("scan-build", &[], Behind("o", &[], 0), Here),
];

/// The rows of the table by the name of their tool: every program is looked up.
static BY_NAME: LazyLock<HashMap<&'static str, Vec<&'static Runs>>> = LazyLock::new(|| {
    let mut by_name: HashMap<&'static str, Vec<&'static Runs>> = HashMap::new();
    for runs in TABLE {
        by_name.entry(runs.name).or_default().push(runs);
    }
    by_name
});

impl Walker<'_> {
    /// Follows what a tool takes elsewhere, if its words say that it does.
    pub(super) fn elsewhere_command<'t>(&mut self, call: &Call<'_, 't>) {
        let Some(named) = BY_NAME.get(call.name) else {
            return;
        };
        let found = named
            .iter()
            .filter_map(|runs| Some((runs, behind_verbs(call.args, runs.verbs)?)))
            .max_by_key(|(runs, _)| runs.verbs.len());
        let Some((runs, at)) = found else { return };
        let rest = call.args.get(at..).unwrap_or_default();
        match runs.how {
            Text(names) => {
                let own = Call {
                    args: rest,
                    ..*call
                };
                for body in value_of(&own, names) {
                    let text = body.text.clone().into_owned();
                    let origin = super::origin(call.source, &written(call.args, &body));
                    self.take(call, runs.place, |w| w.shell_body(&text, origin, true));
                }
            }
            Dashes => {
                if let Some(at) = rest.iter().position(|arg| arg.is("--")) {
                    self.run_behind(call, runs, rest.get(at + 1..).unwrap_or_default());
                }
            }
            Behind(short, long, operands) => {
                let own = prefix(runs.name, short, long, operands, runs.name == "cross-env");
                let start = Self::command_start(&own, rest);
                let command = rest.get(start.min(rest.len())..).unwrap_or_default();
                // Options of the tool may stand behind the name of the machine.
                let options = command.iter().take_while(|arg| arg.is_option());
                let command = match command.iter().position(|arg| arg.is("--")) {
                    Some(at) if operands > 0 && options.count() > 0 => command.get(at + 1..),
                    _ => Some(command),
                };
                let mut command = command.unwrap_or_default();
                if command.first().is_some_and(|arg| arg.is("--")) {
                    command = command.get(1..).unwrap_or_default();
                }
                if matches!(runs.name, "sg" | "nix") {
                    return self.behind_option(call, runs, rest);
                }
                self.run_behind(call, runs, command);
            }
        }
    }

    /// `sg GROUP -c TEXT`, `nix develop -c COMMAND`.
    fn behind_option<'t>(&mut self, call: &Call<'_, 't>, runs: &Runs, rest: &[Arg<'t>]) {
        let flag = |arg: &Arg<'_>| arg.is("-c") || arg.is("--command");
        match rest.iter().position(flag) {
            Some(at) => self.run_behind(call, runs, rest.get(at + 1..).unwrap_or_default()),
            None if runs.name == "sg" => {
                self.run_behind(call, runs, rest.get(1..).unwrap_or_default());
            }
            None => {}
        }
    }

    fn run_behind<'t>(&mut self, call: &Call<'_, 't>, runs: &Runs, command: &[Arg<'t>]) {
        let first = command.first();
        let Some(first) = first else { return };
        let text = command.len() == 1 && first.text.contains([' ', ';', '|', '&']);
        self.take(call, runs.place, |w| {
            if text || matches!(runs.place, Where::Remote) {
                w.code_words(call, command, true);
            } else {
                w.scoped(|w| w.inner(|w| w.call(call.source, command)));
            }
        });
    }

    fn take(&mut self, call: &Call<'_, '_>, place: Where, inner: impl FnOnce(&mut Self)) {
        let via = call.name.to_owned();
        match place {
            Where::Remote => self.at_place(&via, Place::remote(), inner),
            Where::Container => self.at_place(&via, Place::container(false), inner),
            Where::Here => inner(self),
        }
    }
}

/// The argument as it is written, when the value is one of its own.
fn written<'t>(args: &[Arg<'t>], value: &Arg<'t>) -> Arg<'t> {
    let own = args
        .iter()
        .find(|arg| arg.span == value.span && arg.text == value.text);
    own.unwrap_or(value).clone()
}

/// The place behind the words that lead to the command, which stand in this order and before it.
fn behind_verbs(args: &[Arg<'_>], verbs: &[&str]) -> Option<usize> {
    let mut at = 0;
    for (index, verb) in verbs.iter().enumerate() {
        let found = args.get(at..)?.iter().position(|arg| arg.is(verb))?;
        let skipped = args.get(at..at + found)?;
        // Only options and their values may stand between.
        let words = skipped.iter().filter(|arg| !arg.is_option()).count();
        let options = skipped.iter().filter(|arg| arg.is_option()).count();
        let nouns = usize::from(index == 0 && matches!(verb, &"exec"));
        if words > options + nouns {
            return None;
        }
        at += found + 1;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use crate::{Context, analyze};

    #[test]
    fn what_runs_elsewhere_is_listed() {
        for (text, expected) in [
            ("lxc exec c1 --env A=1 -- ls -l", "lxc ls"),
            (
                "gcloud compute ssh vm1 --zone=z --command='df -h | tail -n1'",
                "gcloud df tail",
            ),
            ("fly ssh console -a x -C 'uptime'", "fly uptime"),
            ("heroku run -a x rake about", "heroku rake"),
            ("vagrant ssh -c 'uname -r; id'", "vagrant uname id"),
            ("multipass exec vm -- cat /etc/hostname", "multipass cat"),
            ("op run --env-file=.env -- make test", "op make"),
            ("mise exec node@20 -- node -v", "mise node"),
            ("sg docker -c 'docker ps'", "sg docker"),
            ("ctr -n k8s.io tasks exec --exec-id x c1 ls", "ctr ls"),
            (
                "nomad alloc exec -task web 8ba85cef cat /etc/hosts",
                "nomad cat",
            ),
            ("lxc list exec", "lxc"),
        ] {
            let analysis = analyze(text, &Context::default());
            let names: Vec<&str> = analysis.programs.iter().map(|p| p.name.as_str()).collect();
            assert_eq!(names.join(" "), expected, "{text}");
        }
    }
}
