//! Variables that decide which code other programs run.

use super::Walker;
use super::arg::Value;
use super::source::Origin;
use crate::analysis::Span;

/// Variables that name a program, with the options that it is to have.
const PROGRAMS: &[&str] = &[
    "PAGER",
    "MANPAGER",
    "GIT_PAGER",
    "SYSTEMD_PAGER",
    "EDITOR",
    "VISUAL",
    "GIT_EDITOR",
    "GIT_SEQUENCE_EDITOR",
    "SUDO_EDITOR",
    "FCEDIT",
    "BROWSER",
    "GIT_SSH_COMMAND",
    "GIT_SSH",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    "GIT_EXTERNAL_DIFF",
    "GIT_PROXY_COMMAND",
    "RSYNC_RSH",
    "CVS_RSH",
    "LESSOPEN",
    "LESSCLOSE",
    "MAILER",
    "KUBE_EDITOR",
    "PSQL_EDITOR",
    "PSQL_PAGER",
    "GH_PAGER",
    "GH_EDITOR",
    "BAT_PAGER",
    "DELTA_PAGER",
    "AWS_PAGER",
    "HGEDITOR",
    "SVN_EDITOR",
    "SVN_SSH",
    "CVSEDITOR",
    "BUNDLER_EDITOR",
];

/// Programs that these variables name in ordinary work.
const ORDINARY: &[&str] = &[
    "vim",
    "vi",
    "nvim",
    "nano",
    "emacs",
    "emacsclient",
    "ed",
    "code",
    "subl",
    "hx",
    "micro",
    "cat",
    "less",
    "more",
    "most",
    "bat",
    "batcat",
    "delta",
    "diff-so-fancy",
    "head",
    "true",
    "false",
    ":",
    "echo",
    "ssh",
    "plink",
    "git",
    "gh",
    "firefox",
    "chromium",
    "google-chrome",
    "open",
    "xdg-open",
    "w3m",
    "lynx",
    "sed",
    "touch",
    "cp",
    "col",
    "difft",
    "meld",
    "vimdiff",
    "lesspipe",
    "printf",
];

/// Variables with a command line of a build tool.
const TOOLS: &[&str] = &[
    "CC",
    "CXX",
    "LD",
    "AR",
    "AS",
    "CPP",
    "MAKE",
    "SHELL",
    "RUSTC",
    "RUSTC_WRAPPER",
    "CARGO",
    "RUSTC_WORKSPACE_WRAPPER",
    "GOFLAGS",
    "CMAKE_C_COMPILER_LAUNCHER",
    "npm_config_script_shell",
];

/// Variables whose directories are searched for code.
const SEARCHED: &[&str] = &[
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "PERL5LIB",
    "RUBYLIB",
    "NODE_PATH",
    "CLASSPATH",
    "GCC_EXEC_PREFIX",
    "COMPILER_PATH",
    "GIT_TEMPLATE_DIR",
    "GIT_EXEC_PATH",
    "LUA_PATH",
    "LUA_CPATH",
    "TCLLIBPATH",
    "PERLLIB",
    "GEM_PATH",
    "R_LIBS",
    "XDG_CONFIG_HOME",
    "ZDOTDIR",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "NPM_CONFIG_USERCONFIG",
    "OPENSSL_MODULES",
    "OPENSSL_ENGINES",
    "OPENSSL_CONF",
    "TERMINFO",
    "GTK_PATH",
    "QT_PLUGIN_PATH",
    "GCONV_PATH",
    "GUILE_LOAD_PATH",
    "EMACSLOADPATH",
    "JULIA_LOAD_PATH",
    "ERL_LIBS",
    "R_LIBS_USER",
    "VIMRUNTIME",
    "CURL_HOME",
    "WGETRC",
    "PSQLRC",
    "INPUTRC",
    "SCREENRC",
    "PIP_CONFIG_FILE",
    "DOCKER_CONFIG",
    "ANSIBLE_CONFIG",
    "RIPGREP_CONFIG_PATH",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
];

/// Variables that name files or directories of code which nobody sets in ordinary work: what they
/// name counts, unless the system keeps it.
const CODE_FILES: &[&str] = &[
    "GIT_EXEC_PATH",
    "R_PROFILE",
    "R_PROFILE_USER",
    "R_ENVIRON",
    "NODE_REPL_EXTERNAL_MODULE",
    "MYVIMRC",
    "SSH_SK_PROVIDER",
    "GTK_MODULES",
    "LESSKEYIN",
    "LESSKEY",
];

/// Variables that hold code, with the language of it.
const CODE: &[(&str, &str)] = &[
    ("LUA_INIT", "lua"),
    ("LUA_INIT_5_1", "lua"),
    ("LUA_INIT_5_2", "lua"),
    ("LUA_INIT_5_3", "lua"),
    ("LUA_INIT_5_4", "lua"),
    ("PERL5DB", "perl"),
    ("VIMINIT", "vim"),
    ("EXINIT", "vim"),
    ("GVIMINIT", "vim"),
];

/// Variables with options of a program, with the program.
const OPTIONS_OF: &[(&str, &str)] = &[
    ("TAR_OPTIONS", "tar"),
    ("ZIPOPT", "zip"),
    ("PYTEST_ADDOPTS", "pytest"),
    ("GOFLAGS", "go build"),
    ("LESS", "less"),
    ("MANOPT", "man"),
    ("ERL_FLAGS", "erl"),
    ("ERL_AFLAGS", "erl"),
    ("ERL_ZFLAGS", "erl"),
    ("ELIXIR_ERL_OPTIONS", "erl"),
    ("NODE_OPTIONS", "node"),
    ("GREP_OPTIONS", "grep"),
    ("FZF_DEFAULT_OPTS", "fzf"),
    ("SPEC_OPTS", "rspec"),
];

/// Ends of names of variables whose value is run.
const RUN_ENDS: &[&str] = &[
    "PAGER",
    "EDITOR",
    "BROWSER",
    "_SHELL",
    "_COMMAND",
    "_CMD",
    "_RUNNER",
    "_LINKER",
    "_WRAPPER",
    "_LAUNCHER",
    "_ASKPASS",
    "_RSH",
    "_SSH",
    "_HOOK",
    "_EXEC",
    "_COMPILER",
    "_PROGRAM",
    "_script_shell",
    "_TOOL",
    "_OPENER",
    "_PRE",
    "_POST",
];

/// Variables with options of an interpreter or a build tool.
const OPTIONS: &[&str] = &[
    "NODE_OPTIONS",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "MAVEN_OPTS",
    "JAVA_OPTS",
    "MAKEFLAGS",
    "GNUMAKEFLAGS",
    "MFLAGS",
    "GRADLE_OPTS",
    "SBT_OPTS",
];

impl Walker<'_> {
    /// A variable is set, for the shell or for one command.
    pub(crate) fn program_variable(&mut self, name: &str, value: &Value, span: Span) {
        if name == "SSH_AUTH_SOCK" && value.fields.iter().any(|(text, _)| text.contains("/ssh-")) {
            self.found.note("borrowed-agent", span);
        }
        let cwd = self.place.cwd().to_owned();
        let first = |text: &str| text.split(':').next() == Some(cwd.as_str());
        if name == "PATH"
            && value
                .fields
                .iter()
                .any(|(text, _)| text.contains(':') && first(text))
        {
            self.found.note("path-shadow", span);
        }
        let suspicious = if PROGRAMS.contains(&name) {
            self.any(value, |w, text| w.names_program(text, span))
        } else if TOOLS.contains(&name) {
            self.any(value, |w, text| {
                if text.contains(' ') {
                    w.judged_later(text, span);
                }
                false
            })
        } else if SEARCHED.contains(&name) {
            self.any(value, |_, text| text.split(':').any(is_open_to_all))
        } else if OPTIONS.contains(&name) {
            self.any(value, |_, text| loads(text))
        } else if name == "GIT_CONFIG_COUNT" || name == "GIT_CONFIG_PARAMETERS" {
            true
        } else if matches!(name, "PS1" | "PS2" | "PS3" | "PS4" | "RPROMPT") {
            let hidden = name == "PS4" && value.fields.iter().any(|(_, traits)| traits.unknown);
            let runs = |text: &str| name == "PS4" && (text.contains("$(") || text.contains('`'));
            self.any(value, |w, text| {
                w.quoted_body(text, Origin::Whole(span));
                runs(text)
            }) || hidden
        } else {
            false
        };
        if suspicious {
            self.found.note("code-loading-variable", span);
        }
    }

    /// A variable is given to one command: values that are run, code, options of programs.
    pub(super) fn carried_variable(&mut self, name: &str, value: &Value, span: Span) {
        let [(text, traits)] = value.fields.as_slice() else {
            return;
        };
        if traits.unknown || text.len() < 2 {
            return;
        }
        let text = text.as_str();
        if let Some((_, language)) = CODE.iter().find(|(variable, _)| *variable == name) {
            if *language == "vim" {
                self.try_pieces(text, span);
            } else if let Some(file) = text.strip_prefix('@') {
                self.code_path(file, span);
            } else {
                self.foreign_code(language, text, Origin::Whole(span));
            }
        } else if let Some((_, program)) = OPTIONS_OF.iter().find(|(variable, _)| *variable == name)
        {
            self.try_options(&format!("{program} {text} ./x"), span);
            self.try_pieces(text, span);
        } else if CODE_FILES.contains(&name) {
            self.code_path(text, span);
        } else if RUN_ENDS.iter().any(|end| name.ends_with(end)) {
            self.try_command(text, span);
            if text.contains('/')
                && !text.contains(' ')
                && self.is_foreign_place(&self.of_home(text))
                && !crate::place::is_program_directory(text)
            {
                self.found.note("code-loading-variable", span);
            }
        }
    }

    /// A file or a directory of code that neither the system nor the tree keeps.
    fn code_path(&mut self, path: &str, span: Span) {
        let path = self.of_home(path);
        if self.is_foreign_place(&path) || is_open_to_all(&path) {
            self.found.note("code-loading-variable", span);
        }
    }

    fn any(&mut self, value: &Value, mut test: impl FnMut(&mut Self, &str) -> bool) -> bool {
        let mut found = false;
        for (text, traits) in value.fields.iter().take(8) {
            found |= !traits.unknown && test(self, text);
        }
        found
    }

    /// Judges a command line that names a program; whether that is none of the ordinary ones.
    fn names_program(&mut self, text: &str, span: Span) -> bool {
        let command = text.trim_start_matches('|').trim();
        if command.is_empty() {
            return false;
        }
        self.judged_later(command, span);
        let first = command.split_whitespace().next().unwrap_or_default();
        let name = first.rsplit('/').next().unwrap_or_default();
        let path = first.contains('/') && !crate::place::is_program_directory(first);
        path && !first.ends_with("/code") || !ORDINARY.contains(&name)
    }

    /// A command that another program will run.
    fn judged_later(&mut self, command: &str, span: Span) {
        let programs = self.found.programs.len();
        self.postponed(|w| w.shell_body(command, Origin::Whole(span), true));
        self.found.programs.truncate(programs);
    }
}

/// Whether a directory is one where anybody may put code.
fn is_open_to_all(directory: &str) -> bool {
    // Whatever a browser was told to keep.
    if directory.contains("/Downloads/") || directory.ends_with("/Downloads") {
        return true;
    }
    ["/tmp", "/var/tmp", "/dev/shm"].iter().any(|open| {
        directory
            .strip_prefix(open)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Whether options load code from somewhere.
fn loads(options: &str) -> bool {
    let agent = [
        "-javaagent",
        "-agentpath",
        "-agentlib",
        "-XX:OnError",
        "-XX:OnOutOfMemoryError",
    ];
    let here = ["--eval", "SHELL=", ";", "$(shell"];
    agent.iter().chain(&here).any(|sign| options.contains(sign))
        || options
            .split([' ', '='])
            .any(|word| is_open_to_all(word) || word.starts_with("data:"))
}
