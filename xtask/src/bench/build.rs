//! What has to be built before anything is measured: our binary, the floor, FastAPI.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::target::{Kind, Role};
use crate::project::Project;
use crate::step::{command, succeed};

/// Compiler flags of the floor. `-pthread` is the only one that it needs.
const FLOOR_FLAGS: [&str; 3] = ["-O2", "-Wall", "-pthread"];

/// The binary, which is built first with this profile.
pub(super) fn wharf(project: &Project, profile: &str) -> Result<Kind> {
    let arguments = ["build", "--profile", profile, "--package", "wharf"];
    succeed(&mut command(project.root(), "cargo", &arguments))?;
    Ok(Kind {
        role: Role::Wharf,
        program: project.target().join(profile).join("wharf"),
        arguments: ["serve", "--port", "0"].map(OsString::from).to_vec(),
        has_token: true,
    })
}

/// The floor, and the floor that runs nothing, from `bench/floor.c`.
pub(super) fn floors(project: &Project, folder: &Path) -> Result<[Kind; 2]> {
    let program = folder.join("floor");
    let source = project.root().join("bench/floor.c");
    let mut cc = command(project.root(), "cc", &FLOOR_FLAGS);
    succeed(cc.arg("-o").arg(&program).arg(source))?;
    Ok(
        [(Role::Null, "null"), (Role::Floor, "run")].map(|(role, mode)| Kind {
            role,
            program: program.clone(),
            arguments: vec![mode.into()],
            has_token: false,
        }),
    )
}

/// FastAPI.
pub(super) fn fastapi(project: &Project, folder: &Path) -> Result<Kind> {
    let script = project.root().join("bench/peers/fastapi_server.py");
    Ok(Kind {
        role: Role::Peer,
        program: python(project, folder)?,
        arguments: vec![script.into()],
        has_token: false,
    })
}

/// Python in an environment of its own with the peers in it, made at the first use and again when
/// the requirements change.
pub(super) fn python(project: &Project, folder: &Path) -> Result<PathBuf> {
    let requirements = project.root().join("bench/peers/requirements.txt");
    let wanted = fs::read_to_string(&requirements).context("reading the requirements")?;
    let environment = folder.join("python");
    let python = environment.join("bin/python");
    let marker = environment.join("installed.txt");
    if fs::read_to_string(&marker).ok().as_ref() != Some(&wanted) {
        let mut venv = command(project.root(), "python3", &["-m", "venv", "--clear"]);
        succeed(venv.arg(&environment)).context("making a Python environment")?;
        let pip = ["-m", "pip", "install", "--quiet", "--requirement"];
        let mut pip = command(project.root(), &python, &pip);
        succeed(pip.arg(&requirements)).context("installing the peers")?;
        fs::write(&marker, wanted).context("noting what is installed")?;
    }
    Ok(python)
}
