//! Which package holds a program, a header, a library or a module, and how it is installed here.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Surroundings;
use super::quote::quoted;

/// How programs are installed somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackageManager {
    /// Debian and its kin.
    Apt,
    /// Alpine.
    Apk,
    /// Fedora and its kin.
    Dnf,
    /// Homebrew.
    Brew,
}

impl PackageManager {
    /// The one whose program is called so.
    #[must_use]
    pub fn of_program(program: &str) -> Option<Self> {
        match program {
            "apt-get" => Some(Self::Apt),
            "apk" => Some(Self::Apk),
            "dnf" => Some(Self::Dnf),
            "brew" => Some(Self::Brew),
            _ => None,
        }
    }

    const fn install(self) -> &'static str {
        match self {
            Self::Apt => "apt-get install -y",
            Self::Apk => "apk add",
            Self::Dnf => "dnf install -y",
            Self::Brew => "brew install",
        }
    }

    /// How one looks for a program whose package is not known.
    const fn search(self) -> &'static str {
        match self {
            Self::Apt => "apt-cache search --names-only",
            Self::Apk => "apk search",
            Self::Dnf => "dnf search",
            Self::Brew => "brew search",
        }
    }
}

/// The packages of one thing.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Packages {
    all: Option<String>,
    apt: Option<String>,
    apk: Option<String>,
    dnf: Option<String>,
    brew: Option<String>,
    pip: Option<String>,
    npm: Option<String>,
}

type Table = HashMap<String, Packages>;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Libraries {
    header: Table,
    library: Table,
    python: Table,
}

static PROGRAMS: LazyLock<Table> = LazyLock::new(|| {
    toml::from_str(include_str!("../../data/next/programs.toml")).unwrap_or_default()
});

static LIBRARIES: LazyLock<Libraries> = LazyLock::new(|| {
    toml::from_str(include_str!("../../data/next/libraries.toml")).unwrap_or_default()
});

/// The command that installs a program here.
pub(super) fn program(name: &str, around: &Surroundings<'_>) -> Option<String> {
    PROGRAMS
        .get(name)
        .and_then(|packages| install(packages, around))
}

/// The command that looks for the package of a program that no table knows.
pub(super) fn search(name: &str, around: &Surroundings<'_>) -> Option<String> {
    if PROGRAMS.contains_key(name) {
        return None;
    }
    Some(format!(
        "{} {}",
        around.package_manager?.search(),
        quoted(name)?
    ))
}

/// The command that installs the development files of a header.
pub(super) fn header(path: &str, around: &Surroundings<'_>) -> Option<String> {
    let table = &LIBRARIES.header;
    let folder = path.split_once('/').map(|(folder, _)| format!("{folder}/"));
    let packages = table.get(path).or_else(|| table.get(&folder?))?;
    install(packages, around)
}

/// The command that installs the development files of a library.
pub(super) fn library(name: &str, around: &Surroundings<'_>) -> Option<String> {
    install(LIBRARIES.library.get(name)?, around)
}

/// The command that installs a module of Python.
pub(super) fn python(module: &str) -> Option<String> {
    let top = module.split('.').next()?;
    let package = match LIBRARIES.python.get(top) {
        Some(packages) => packages.pip.clone()?,
        None => top.to_owned(),
    };
    if package.is_empty() {
        return None;
    }
    Some(format!("pip install {}", quoted(&package)?))
}

fn install(packages: &Packages, around: &Surroundings<'_>) -> Option<String> {
    if let Some(package) = &packages.pip {
        return Some(format!("pip install {package}"));
    }
    if let Some(package) = &packages.npm {
        return Some(format!("npm install -D {package}"));
    }
    let manager = around.package_manager?;
    let own = match manager {
        PackageManager::Apt => &packages.apt,
        PackageManager::Apk => &packages.apk,
        PackageManager::Dnf => &packages.dnf,
        PackageManager::Brew => &packages.brew,
    };
    let package = own.as_ref().or(packages.all.as_ref())?;
    if package.is_empty() {
        return None;
    }
    // Installing for everybody is the administrator's; Homebrew refuses to run as one.
    let sudo = if around.is_root || manager == PackageManager::Brew {
        ""
    } else {
        "sudo "
    };
    Some(format!("{sudo}{} {package}", manager.install()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn around(manager: PackageManager) -> Surroundings<'static> {
        Surroundings {
            package_manager: Some(manager),
            is_root: false,
            programs: &[],
        }
    }

    #[test]
    fn the_tables_are_read() {
        assert!(PROGRAMS.len() >= 150, "{}", PROGRAMS.len());
        assert!(LIBRARIES.header.len() > 20 && LIBRARIES.library.len() > 20);
        for (name, packages) in &*PROGRAMS {
            let systems = [&packages.apt, &packages.apk, &packages.dnf, &packages.brew];
            let complete = packages.all.is_some()
                || packages.pip.is_some()
                || packages.npm.is_some()
                || systems.iter().all(|package| package.is_some());
            assert!(complete, "{name} misses a manager");
        }
    }

    #[test]
    fn each_manager_has_its_words() {
        let rg = |manager| program("rg", &around(manager)).unwrap();
        assert_eq!(rg(PackageManager::Apt), "sudo apt-get install -y ripgrep");
        assert_eq!(rg(PackageManager::Apk), "sudo apk add ripgrep");
        assert_eq!(rg(PackageManager::Dnf), "sudo dnf install -y ripgrep");
        assert_eq!(rg(PackageManager::Brew), "brew install ripgrep");
        assert_eq!(program("kubectl", &around(PackageManager::Apt)), None);
        assert_eq!(
            program("tsc", &Surroundings::default()).unwrap(),
            "npm install -D typescript"
        );
        assert_eq!(python("PIL.Image").unwrap(), "pip install pillow");
        assert_eq!(python("tkinter"), None);
        let ssl = header("openssl/ssl.h", &around(PackageManager::Dnf)).unwrap();
        assert_eq!(ssl, "sudo dnf install -y openssl-devel");
    }
}
