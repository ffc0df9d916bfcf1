//! What is opened to others: directories that are served, packages that come from an address,
//! files that a build is given.

use super::files::value_of;
use super::touch::Touch;
use super::{Call, Options};
use crate::place::{self, Class};
use crate::walk::Walker;
use crate::walk::arg::Arg;

/// Programs that serve a directory, which is their first operand.
const SERVERS: &[&str] = &[
    "http-server",
    "serve",
    "live-server",
    "miniserve",
    "darkhttpd",
    "webfsd",
    "dufs",
    "simple-http-server",
    "sfz",
    "httplz",
    "webify",
    "statik",
    "goshs",
];

/// Options that name the directory, by program.
const DIRECTORIES: &[(&str, &[&str])] = &[
    ("php", &["-t", "--docroot"]),
    ("busybox", &["-h"]),
    ("caddy", &["--root", "-r"]),
    ("filebrowser", &["-r", "--root"]),
    ("updog", &["-d", "--directory"]),
    ("twistd", &["--path"]),
    ("twistd3", &["--path"]),
    ("webfsd", &["-r"]),
    ("jupyter", &["--notebook-dir", "--ServerApp.root_dir"]),
];

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    serves(walker, call, options);
    from_address(walker, call, options);
    into_system(walker, call, options);
    if matches!(call.name, "docker" | "podman" | "nerdctl" | "buildah") {
        build_secrets(walker, call);
    }
}

/// A directory that is not the project's is served to whoever asks.
fn serves(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let python = call.name.starts_with("python")
        && call.args.windows(2).any(|pair| {
            matches!(pair, [flag, module] if flag.is("-m")
                && matches!(module.text.as_ref(), "http.server" | "SimpleHTTPServer" | "pyftpdlib" | "RangeHTTPServer" | "uploadserver"))
        });
    let ruby = call.name == "ruby" && call.args.iter().any(|arg| arg.is("httpd"));
    let rclone = call.name == "rclone" && options.starts_with("serve");
    let mut directories: Vec<Arg<'_>> = Vec::new();
    if python {
        directories = value_of(call, &["-d", "--directory"]);
    } else if SERVERS.contains(&call.name) || ruby || rclone {
        let paths = options
            .operands
            .iter()
            .filter(|arg| arg.text.contains(['/', '~', '.']));
        directories.extend(paths.map(|arg| (*arg).clone()));
    } else if let Some((_, names)) = DIRECTORIES.iter().find(|(name, _)| *name == call.name) {
        let serves = match call.name {
            "php" => options.has("-S"),
            "busybox" => call.args.iter().any(|arg| arg.is("httpd")),
            "caddy" => options.starts_with("file-server"),
            "jupyter" => call.args.iter().any(|arg| arg.text.contains("0.0.0.0")),
            _ => true,
        };
        if !serves {
            return;
        }
        directories = value_of(call, names);
    } else {
        return;
    }
    let bound_here = |arg: &Arg<'_>| {
        ["127.0.0.1", "localhost", "::1"]
            .iter()
            .any(|host| arg.text.contains(host))
    };
    if call.args.iter().any(bound_here) {
        return;
    }
    if directories.is_empty() {
        directories.push(Arg::literal(".".to_owned(), call.span));
    }
    for directory in directories {
        let class = walker.place.class(&directory.text, directory.traits.glob);
        let private = matches!(
            class,
            Class::Root
                | Class::SystemRoot
                | Class::System
                | Class::HomeRoot
                | Class::Home
                | Class::Outside
        );
        if private || place::holds_credentials(&walker.place.resolve(&directory.text)) {
            walker.found.note("serves-files", directory.span);
        }
    }
}

/// Packages that are not taken from a registry, but from an address that the text names.
fn from_address(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let verb = options.operand(0).map_or("", |arg| arg.text.as_ref());
    let skip = match call.name {
        "npx" | "bunx" | "pnpx" | "uvx" => 0,
        "pip" | "pip3" | "pipx" | "npm" | "pnpm" | "yarn" | "bun" | "gem" | "apm" | "vsce"
        | "code" | "helm" | "krew" | "gh"
            if matches!(
                verb,
                "install" | "add" | "i" | "run" | "exec" | "dlx" | "x" | "inject" | "plugin"
            ) =>
        {
            1
        }
        "uv" if matches!(verb, "pip" | "tool" | "add") => 1,
        "cargo" if verb == "install" => {
            if let Some(address) = value_of(call, &["--git", "--index"]).first() {
                walker.found.note("install-from-address", address.span);
            }
            return;
        }
        _ => return,
    };
    let first_only = skip == 0 || matches!(verb, "run" | "exec" | "dlx" | "x");
    let mut named = options.operands.iter().skip(skip);
    let editable = value_of(
        call,
        &["-e", "--editable", "--package", "-p", "--from", "--spec"],
    );
    let address = |arg: &Arg<'_>| {
        let text = arg
            .text
            .split_once(" @ ")
            .map_or(arg.text.as_ref(), |(_, from)| from);
        [
            "git+", "http://", "https://", "hg+", "svn+", "bzr+", "git://", "git@", "ssh://",
        ]
        .iter()
        .any(|start| text.starts_with(start))
    };
    let forge = |arg: &Arg<'_>| arg.text.starts_with("github:") || arg.text.starts_with("gitlab:");
    let found = if first_only {
        named.next().is_some_and(|arg| address(arg) || forge(arg))
    } else {
        named.any(|arg| address(arg))
    };
    if found || editable.iter().any(address) {
        walker.found.note("install-from-address", call.span);
    }
}

/// `GOBIN=/usr/local/bin go install …`: where a variable or an option leads an installation.
fn into_system(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let installs = options.operands.iter().take(2).any(|arg| {
        matches!(
            arg.text.as_ref(),
            "install" | "i" | "add" | "uninstall" | "install/strip" | "install-strip"
        )
    }) || call.name == "cmake" && options.has("--install");
    let rehearsed =
        matches!(call.name, "make" | "gmake" | "ninja") && options.has_any(&["-n", "--just-print"]);
    if !installs || rehearsed {
        return;
    }
    let (variables, names): (&[&str], &[&str]) = match call.name {
        "go" => (&["GOBIN", "GOPATH"], &[]),
        "cargo" => (&["CARGO_INSTALL_ROOT"], &["--root"]),
        "npm" | "pnpm" | "yarn" => (&["NPM_CONFIG_PREFIX", "npm_config_prefix"], &["--prefix"]),
        "pip" | "pip3" | "uv" => (
            &["PIP_TARGET", "PIP_PREFIX", "PYTHONUSERBASE"],
            &["--prefix", "--root"],
        ),
        "make" | "gmake" | "ninja" | "meson" => (&["DESTDIR", "PREFIX", "prefix"], &["--destdir"]),
        "cmake" => (&["DESTDIR"], &["--prefix"]),
        "gem" => (&["GEM_HOME"], &["--install-dir", "--bindir"]),
        _ => return,
    };
    let mut leads = value_of(call, names);
    for name in variables {
        let value = walker
            .get(name)
            .and_then(|value| match value.fields.as_slice() {
                [(text, traits)] if !traits.unknown => Some(text.clone()),
                _ => None,
            });
        leads.extend(value.map(|text| Arg::literal(text, call.span)));
    }
    for arg in call.args {
        if let Some((name, value)) = arg.text.split_once('=')
            && variables.contains(&name)
        {
            leads.push(Arg::literal(value.to_owned(), arg.span));
        }
    }
    // What is staged below a directory does not reach the place that it is meant for.
    let staged = call
        .args
        .iter()
        .find(|arg| arg.text.starts_with("DESTDIR=/"));
    if let Some(staged) = staged {
        leads.retain(|place| staged.text.ends_with(place.text.as_ref()));
    }
    for place in leads {
        let class = walker.place.class(&place.text, false);
        if matches!(class, Class::Root | Class::SystemRoot | Class::System)
            && !place.text.is_empty()
        {
            walker.touch(Touch::Write, &place);
        }
    }
}

/// `docker build --secret id=x,src=FILE`: the file is read into the build.
fn build_secrets(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    for secret in value_of(call, &["--secret"]) {
        let file = secret.text.split(',').find_map(|part| {
            part.strip_prefix("src=")
                .or_else(|| part.strip_prefix("source="))
        });
        if let Some(file) = file {
            let file = Arg {
                text: file.to_owned().into(),
                word: None,
                ..secret.clone()
            };
            walker.touch(Touch::Read, &file);
        }
    }
}
