//! Code that is fetched from an address, a repository or another registry, and run or installed.
//!
//! A dependency by its name comes from the registry that everybody uses, which is ordinary work.
//! An address says that it comes from somebody.

use super::files::value_of;
use super::{Call, Options};
use crate::walk::Walker;
use crate::walk::arg::Arg;

/// Registries that packages come from unless something else is said.
const REGISTRIES: &[&str] = &[
    "pypi.org",
    "files.pythonhosted.org",
    "test.pypi.org",
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "rubygems.org",
    "index.crates.io",
    "crates.io",
    "proxy.golang.org",
    "repo.maven.apache.org",
    "download.pytorch.org",
    "npm.pkg.github.com",
    "localhost",
    "127.0.0.1",
    "jsr.io",
    "npm.jsr.io",
    "deno.land",
    "jsr:",
    "esm.sh",
    "conda.anaconda.org",
    "repo.anaconda.com",
    "data.pyg.org",
    "storage.googleapis.com/jax-releases",
];

/// Options that name a registry, by what its address begins with.
const REGISTRY_OPTIONS: &[&str] = &[
    "--index-url",
    "-i",
    "--extra-index-url",
    "--find-links",
    "-f",
    "--registry",
    "--index",
    "--default-index",
    "--source",
    "--add-source",
    "--channel",
];

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    if is_elsewhere(call, options) {
        walker.found.note("code-from-elsewhere", call.span);
    }
}

fn is_elsewhere(call: &Call<'_, '_>, options: &Options<'_, '_>) -> bool {
    let verb = |words: &[&str]| words.iter().any(|words| options.starts_with(words));
    let args = call.args;
    match call.name {
        "pip" | "pip3" | "pipx" | "uv" | "uvx" | "poetry" | "pdm" | "pipenv" | "rye" | "hatch"
        | "easy_install" => {
            let installs = call.name == "uvx"
                || call.name == "easy_install"
                || verb(&[
                    "install",
                    "add",
                    "run",
                    "inject",
                    "pip install",
                    "tool install",
                    "tool run",
                    "wheel",
                    "download",
                    "runpip",
                    "upgrade",
                    "self add",
                ]);
            let installs = installs
                && !(call.name == "poetry" && verb(&["run"]))
                && !(call.name == "pipenv" && verb(&["run"]));
            installs && (args.iter().any(is_address) || other_registry(call))
        }
        "npm" | "pnpm" | "yarn" | "bun" | "npx" | "pnpx" | "bunx" | "cnpm" => {
            let runs = matches!(call.name, "npx" | "pnpx" | "bunx")
                || verb(&["exec", "dlx", "x", "create", "init"]);
            let installs = verb(&["install", "i", "add", "in", "isntall", "global add", "link"]);
            if runs {
                let skip = usize::from(!matches!(call.name, "npx" | "pnpx" | "bunx"));
                let named = value_of(call, &["-p", "--package"]);
                let first = options.operands.iter().skip(skip).take(1).copied();
                return named
                    .iter()
                    .chain(first)
                    .any(|arg| is_address(arg) || is_shorthand(arg))
                    || other_registry(call);
            }
            installs
                && (options
                    .operands
                    .iter()
                    .skip(1)
                    .any(|arg| is_address(arg) || is_shorthand(arg))
                    || other_registry(call))
        }
        "cargo" => {
            verb(&["install", "binstall"])
                && (options.has_exactly("--git")
                    || options.has_exactly("--index")
                    || other_registry(call))
        }
        "go" => {
            verb(&["run"])
                && options
                    .operands
                    .iter()
                    .skip(1)
                    .take(1)
                    .any(|arg| arg.text.contains('@') && arg.text.contains('.'))
        }
        "nix" => {
            let runs = verb(&[
                "run",
                "shell",
                "develop",
                "build",
                "bundle",
                "profile install",
                "profile add",
                "flake init",
            ]);
            runs && options
                .operands
                .iter()
                .skip(1)
                .any(|arg| is_flake(&arg.text))
        }
        "nix-shell" | "nix-build" | "nix-env" | "nix-instantiate" => args.iter().any(|arg| {
            arg.text.contains("://")
                || arg.text.contains("fetchTarball")
                || arg.text.contains("fetchGit")
                || arg.text.contains("fetchurl")
        }),
        "gh" => verb(&[
            "extension install",
            "ext install",
            "extensions install",
            "extension upgrade",
        ]),
        "docker" => verb(&["plugin install", "plugin upgrade"]),
        "helm" => verb(&["plugin install", "plugin update"]),
        "kubectl" => {
            verb(&["krew install"]) && args.iter().any(|arg| arg.text.starts_with("--manifest"))
        }
        "gem" | "bundle" => {
            verb(&["install"]) && (args.iter().any(is_address) || other_registry(call))
        }
        "cpan" | "cpanm" | "cpm" => args.iter().any(is_address),
        "brew" => {
            verb(&["install", "reinstall", "upgrade", "tap"])
                && args
                    .iter()
                    .any(|arg| is_address(arg) || arg.text.starts_with("https://"))
        }
        "luarocks" => {
            verb(&["install", "build"])
                && (args.iter().any(is_address) || options.has_any(&["--server", "--only-server"]))
        }
        "opam" => {
            verb(&["pin", "install", "repository add", "repo add"]) && args.iter().any(is_address)
        }
        "mix" => {
            verb(&["archive.install", "escript.install"])
                && options
                    .operands
                    .iter()
                    .skip(1)
                    .any(|arg| is_address(arg) || matches!(arg.text.as_ref(), "git" | "github"))
        }
        "dotnet" => {
            verb(&["tool install", "new install", "add"]) && options.has_exactly("--add-source")
        }
        "deno" => {
            verb(&["install", "run", "compile", "eval", "x", "serve", "add"])
                && args
                    .iter()
                    .any(|arg| arg.text.starts_with("http") && !is_registry(&arg.text))
        }
        "rails" => verb(&["new", "app:template"]) && args.iter().any(is_address),
        "asdf" | "mise" | "rtx" => {
            verb(&[
                "plugin add",
                "plugin-add",
                "plugin install",
                "plugins install",
                "plugins add",
            ]) && args.iter().any(is_address)
        }
        "vagrant" => verb(&["plugin install"]) && args.iter().any(is_address),
        "flatpak" | "snap" => {
            verb(&["install"])
                && (args.iter().any(is_address) || options.has_exactly("--dangerous"))
        }
        "ansible-galaxy" => {
            verb(&["install", "role install", "collection install"]) && args.iter().any(is_address)
        }
        "cookiecutter" | "copier" | "cruft" => args.iter().any(|arg| {
            is_address(arg) || arg.text.starts_with("gh:") || arg.text.starts_with("gl:")
        }),
        "conda" | "mamba" | "micromamba" => {
            verb(&["install", "create"]) && args.iter().any(is_address)
        }
        "composer" => verb(&["global require"]) && args.iter().any(is_address),
        "home-manager" | "nixos-rebuild" | "darwin-rebuild" | "colmena" => {
            value_of(call, &["--flake"])
                .iter()
                .any(|flake| is_flake(&flake.text))
        }
        "code" | "codium" | "cursor" => value_of(call, &["--install-extension"])
            .iter()
            .any(|file| file.text.ends_with(".vsix") || file.text.contains("://")),
        "R" | "Rscript" | "julia" => args.iter().any(|arg| {
            [
                "install_github(",
                "install_git(",
                "install_url(",
                "install_gitlab(",
                "Pkg.add(url",
                "Pkg.develop(url",
                "PackageSpec(url",
            ]
            .iter()
            .any(|sign| arg.text.contains(sign))
        }),
        _ => false,
    }
}

/// `https://…`, `git+ssh://…`, `name @ https://…`, also as the value of an option.
fn is_address(arg: &Arg<'_>) -> bool {
    let text = arg.text.as_ref();
    let text = match text.split_once('=') {
        Some((name, value)) if name.starts_with('-') => value,
        _ => text,
    };
    let text = text.rsplit(" @ ").next().unwrap_or(text).trim();
    if is_registry(text) {
        return false;
    }
    let schemes = [
        "http://",
        "https://",
        "ftp://",
        "git://",
        "ssh://",
        "git+",
        "hg+",
        "svn+",
        "bzr+",
        "git@",
        "github:",
        "gitlab:",
        "bitbucket:",
        "gist:",
        "tarball+",
        "file+",
        "gh:",
    ];
    schemes.iter().any(|scheme| text.starts_with(scheme))
}

/// `user/repository` where a package is meant.
fn is_shorthand(arg: &Arg<'_>) -> bool {
    let text = arg.text.as_ref();
    let parts = text.split('/').count();
    parts == 2
        && !text.starts_with(['@', '.', '/', '~', '-'])
        && !text.contains([':', '='])
        && !text.ends_with(".tgz")
}

fn is_flake(text: &str) -> bool {
    let own = [
        "nixpkgs",
        ".",
        "/",
        "self",
        "flake:nixpkgs",
        "github:NixOS/",
        "github:nixos/",
        "path:",
        "~",
    ];
    let named = !text.contains(':') || text.starts_with("path:");
    !own.iter().any(|start| text.starts_with(start)) && !named
}

fn is_registry(text: &str) -> bool {
    let host = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = host.split_once('@').map_or(host, |(_, rest)| rest);
    REGISTRIES.iter().any(|registry| host.starts_with(registry))
}

/// Whether an option names a registry that is not one of those.
fn other_registry(call: &Call<'_, '_>) -> bool {
    value_of(call, REGISTRY_OPTIONS)
        .iter()
        .any(|value| value.text.contains("://") && !is_registry(&value.text))
}
