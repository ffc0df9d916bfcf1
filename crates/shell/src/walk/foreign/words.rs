//! Words of languages that start programs, delete, write or evaluate.

/// Languages that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    Perl,
    Ruby,
    Node,
    Php,
    Lua,
    R,
    Julia,
    Elixir,
    AppleScript,
    PowerShell,
    Lisp,
    Tcl,
    Other,
}

/// What a word does with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// Starts a program, or a shell with a text.
    Runs,
    Deletes,
    /// Writes the files that it names.
    Changes,
    /// Writes the files that it names, if it is that at all.
    Names,
    /// Opens a file, to read or to write.
    Opens,
    /// Hands out what is kept secret.
    Tells,
    /// It cannot be told.
    Anything,
    /// It cannot be told, unless one of these follows.
    AnythingBut(&'static [&'static str]),
}

/// Where an option has code.
pub(super) enum CodeOption<'a> {
    Next,
    Here(&'a str),
    Module,
    No,
}

impl Language {
    pub(super) const ALL: &'static [Self] = &[
        Self::Python,
        Self::Perl,
        Self::Ruby,
        Self::Node,
        Self::Php,
        Self::Lua,
        Self::R,
        Self::Julia,
        Self::Elixir,
        Self::AppleScript,
        Self::PowerShell,
        Self::Lisp,
        Self::Tcl,
        Self::Other,
    ];

    /// The language of an interpreter.
    pub(super) fn of(name: &str) -> Option<Self> {
        let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        Some(match base {
            "python" | "pypy" | "ipython" | "bpython" | "pyspark" => Self::Python,
            "perl" => Self::Perl,
            "ruby" | "jruby" | "rake" | "erb" | "irb" | "pry" => Self::Ruby,
            "node" | "nodejs" | "bun" | "deno" | "tsx" | "ts-node" | "qjs" => Self::Node,
            "php" => Self::Php,
            "lua" | "luajit" | "texlua" => Self::Lua,
            "Rscript" | "R" => Self::R,
            "julia" => Self::Julia,
            "elixir" | "iex" | "erl" => Self::Elixir,
            "osascript" => Self::AppleScript,
            "pwsh" | "powershell" => Self::PowerShell,
            "emacs" | "emacsclient" | "guile" | "racket" | "sbcl" | "clojure" | "clj" => Self::Lisp,
            "tclsh" | "wish" | "expect" | "m" => Self::Tcl,
            "groovy" | "scala" | "ghc" | "raku" | "octave" | "swift" | "kotlin" | "jshell"
            | "crystal" | "swipl" | "gprolog" | "ocaml" | "scilab" | "sage" | "wolframscript"
            | "nim" | "xonsh" | "nu" | "maxima" | "gnuplot" => Self::Other,
            _ => return None,
        })
    }

    /// Whether a backquoted text is a command.
    pub(super) const fn runs_backquotes(self) -> bool {
        matches!(self, Self::Perl | Self::Ruby | Self::Php | Self::Julia)
    }

    /// Whether the next word is the value of the option, and neither code nor a script.
    pub(super) fn takes_value(self, option: &str) -> bool {
        match self {
            Self::Php => matches!(option, "-d" | "-c" | "-z" | "--define"),
            Self::Node => matches!(
                option,
                "-r" | "--require"
                    | "--import"
                    | "--loader"
                    | "--experimental-loader"
                    | "--env-file"
                    | "-C"
            ),
            Self::Ruby => matches!(option, "-I" | "-r" | "-C" | "--require"),
            Self::Python => matches!(option, "-W" | "-X"),
            Self::Lua => option == "-l",
            _ => false,
        }
    }

    /// Whether the words behind code are files.
    pub(super) const fn takes_files(self) -> bool {
        matches!(self, Self::Perl | Self::Ruby)
    }

    /// A word that stands before the options.
    pub(super) fn is_verb(self, word: &str) -> bool {
        self == Self::Node && matches!(word, "run" | "test" | "x")
    }

    /// What an option of the interpreter has to do with code.
    pub(super) fn code_option(self, option: &str) -> CodeOption<'_> {
        let (letters, long): (&str, &[&str]) = match self {
            Self::Python => ("c", &[]),
            Self::Perl | Self::Ruby => ("eE", &[]),
            Self::Node => ("ep", &["--eval", "--print", "eval"]),
            Self::Php => (
                "rRBE",
                &[
                    "--run",
                    "--process-code",
                    "--process-begin",
                    "--process-end",
                ],
            ),
            Self::Lua | Self::R | Self::Julia | Self::AppleScript => ("eE", &["--eval"]),
            Self::Elixir => ("e", &["--eval", "-eval", "--rpc-eval"]),
            Self::PowerShell => (
                "c",
                &["-Command", "-command", "-EncodedCommand", "-enc", "-e"],
            ),
            Self::Lisp => ("ec", &["--eval", "-eval", "--execute", "-f"]),
            Self::Tcl => ("", &[]),
            Self::Other => (
                "ecg",
                &["--eval", "-eval", "--batch-string", "-code", "--goal"],
            ),
        };
        if self == Self::Python && option == "-m" {
            return CodeOption::Module;
        }
        if long.contains(&option) {
            return CodeOption::Next;
        }
        if !option.starts_with('-') {
            return CodeOption::No;
        }
        if let Some((name, code)) = option.split_once(['=', ':'])
            && long.contains(&name)
        {
            return CodeOption::Here(code);
        }
        let Some(cluster) = option
            .strip_prefix('-')
            .filter(|rest| !rest.starts_with('-'))
        else {
            return CodeOption::No;
        };
        let plain = cluster
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'.');
        if plain && cluster.ends_with(|c| letters.contains(c)) {
            return CodeOption::Next;
        }
        // Behind letters without a value, as in `-Icimport os`.
        let at = cluster.find(|c| letters.contains(c));
        match at.filter(|at| *at <= MAX_LETTERS && !plain) {
            Some(at) => CodeOption::Here(cluster.get(at + 1..).unwrap_or_default()),
            None => CodeOption::No,
        }
    }
}

/// Letters that may stand before the one behind which code begins.
const MAX_LETTERS: usize = 3;

/// Words that write whatever file they name.
pub(super) fn always_writes(word: &str) -> bool {
    ["write", "Write", "append", "put_contents", "create"]
        .iter()
        .any(|sign| word.contains(sign))
}

/// The words of a language, with what they do.
pub(super) const fn of(language: Language) -> &'static [(&'static str, Does)] {
    match language {
        Language::Python => PYTHON,
        Language::Perl => PERL,
        Language::Ruby => RUBY,
        Language::Node => NODE,
        Language::Php => PHP,
        Language::Lua => LUA,
        Language::R => R,
        Language::Julia => JULIA,
        Language::Elixir => ELIXIR,
        Language::AppleScript => APPLE,
        Language::PowerShell => POWER,
        Language::Lisp => LISP,
        Language::Tcl => TCL,
        Language::Other => OTHER,
    }
}

use Does::{Anything, AnythingBut, Changes, Deletes, Names, Opens, Runs, Tells};

const PYTHON: &[(&str, Does)] = &[
    ("os.system", Runs),
    ("os.popen", Runs),
    ("subprocess.run", Runs),
    ("subprocess.call", Runs),
    ("subprocess.check_call", Runs),
    ("subprocess.check_output", Runs),
    ("subprocess.Popen", Runs),
    ("subprocess.getoutput", Runs),
    ("subprocess.getstatusoutput", Runs),
    ("create_subprocess_shell", Runs),
    ("create_subprocess_exec", Runs),
    ("shutil.rmtree", Deletes),
    ("os.remove", Deletes),
    ("os.unlink", Deletes),
    ("os.rmdir", Deletes),
    ("os.removedirs", Deletes),
    ("os.truncate", Changes),
    ("os.rename", Changes),
    ("os.replace", Changes),
    ("os.chmod", Changes),
    ("shutil.move", Changes),
    ("shutil.copy", Changes),
    ("shutil.copyfile", Changes),
    ("shutil.copytree", Changes),
    ("os.chown", Changes),
    ("open", Opens),
    ("io.open", Opens),
    ("Path", Opens),
    ("p.unlink", Anything),
    ("f.unlink", Anything),
    ("path.unlink", Anything),
    ("p.rmdir", Anything),
    ("eval", Anything),
    ("exec", Anything),
    ("compile", Anything),
    ("__import__", Anything),
    ("import_module", Anything),
    ("ctypes", Anything),
    ("marshal", Anything),
    ("pickle.load", Anything),
    ("runpy", Anything),
    ("pty", Anything),
    ("os.exec", Anything),
    ("os.execv", Anything),
    ("os.execvp", Anything),
    ("os.execl", Anything),
    ("os.execlp", Anything),
    ("os.execve", Anything),
    ("os.spawnl", Anything),
    ("os.spawnv", Anything),
    ("os.posix_spawn", Anything),
    ("os.kill", Anything),
    ("os.killpg", Anything),
    ("os.fork", Anything),
    ("os.forkpty", Anything),
    ("os.dup2", Anything),
    ("os.link", Changes),
    ("os.symlink", Changes),
    ("os.mkfifo", Changes),
    ("extractall", Names),
    ("unpack_archive", Anything),
    ("get_password", Tells),
    ("get_credential", Tells),
    ("secretstorage", Tells),
    ("browser_cookie3", Tells),
    ("requests.delete", Anything),
    ("httpx.delete", Anything),
    ("os.setuid", Anything),
    ("getattr", Anything),
    ("globals", Anything),
    ("__builtins__", Anything),
    ("builtins", Anything),
    ("__subclasses__", Anything),
    ("sys.modules", Anything),
    ("code.interact", Anything),
    ("from os.", AnythingBut(&["path"])),
];

const PERL: &[(&str, Does)] = &[
    ("system", Runs),
    ("exec", Runs),
    ("qx", Runs),
    ("readpipe", Runs),
    ("`", Anything),
    ("unlink", Deletes),
    ("rmdir", Deletes),
    ("rmtree", Deletes),
    ("remove_tree", Deletes),
    ("open", Anything),
    ("rename", Changes),
    ("move", Names),
    ("copy", Names),
    ("link", Names),
    ("mkpath", Names),
    ("make_path", Names),
    ("write_file", Names),
    ("chmod", Anything),
    ("chown", Anything),
    ("symlink", Anything),
    ("truncate", Anything),
    ("fork", Anything),
    ("kill", Anything),
    ("syscall", Anything),
    ("do '", Anything),
    ("do \"", Anything),
    ("IO::Socket", Anything),
    ("pack", Anything),
];

const RUBY: &[(&str, Does)] = &[
    ("system", Runs),
    ("exec", Runs),
    ("spawn", Runs),
    ("popen", Runs),
    ("capture2", Runs),
    ("capture3", Runs),
    ("capture2e", Runs),
    ("%x", Anything),
    ("`", Anything),
    ("open", Opens),
    ("File.open", Opens),
    ("File.write", Opens),
    ("IO.write", Opens),
    ("File.delete", Deletes),
    ("File.unlink", Deletes),
    ("Dir.rmdir", Deletes),
    ("Pathname.new", Opens),
    ("Dir.delete", Deletes),
    ("rm_rf", Deletes),
    ("rm_r", Deletes),
    ("rm_f", Deletes),
    ("FileUtils.rm", Deletes),
    ("remove_entry", Deletes),
    ("remove_dir", Deletes),
    ("FileUtils.mv", Changes),
    ("FileUtils.cp", Changes),
    ("FileUtils.ln_s", Changes),
    ("FileUtils.ln_sf", Changes),
    ("FileUtils.chmod_R", Anything),
    ("PTY.spawn", Runs),
    ("Open3.pipeline", Anything),
    ("File.rename", Changes),
    ("File.chmod", Anything),
    ("File.symlink", Anything),
    ("eval", Anything),
    ("instance_eval", Anything),
    ("class_eval", Anything),
    ("send", Anything),
    ("public_send", Anything),
    ("const_get", Anything),
    ("Process.kill", Anything),
    ("fork", Anything),
    ("syscall", Anything),
    ("load", Anything),
    ("Fiddle", Anything),
    ("Marshal.load", Anything),
];

const NODE: &[(&str, Does)] = &[
    ("execSync", Runs),
    ("execFileSync", Runs),
    ("spawnSync", Runs),
    ("rmSync", Deletes),
    ("rmdirSync", Deletes),
    ("unlinkSync", Deletes),
    ("removeSync", Deletes),
    ("emptyDirSync", Deletes),
    ("emptyDir", Deletes),
    (".rm(", Deletes),
    (".unlink(", Deletes),
    (".rmdir(", Deletes),
    ("fs.rm", Deletes),
    ("fs.unlink", Deletes),
    ("fs.rmdir", Deletes),
    ("promises.rm", Deletes),
    ("Deno.remove", Deletes),
    ("Deno.removeSync", Deletes),
    ("rimraf", Deletes),
    ("writeFileSync", Opens),
    ("writeFile", Opens),
    ("appendFileSync", Opens),
    ("appendFile", Opens),
    ("createWriteStream", Opens),
    ("copyFileSync", Changes),
    ("renameSync", Changes),
    ("unlink(", Deletes),
    ("rm(", Deletes),
    ("rmdir(", Deletes),
    ("chmodSync", Changes),
    ("symlinkSync", Changes),
    ("truncateSync", Changes),
    ("cpSync", Changes),
    ("linkSync", Changes),
    ("outputFileSync", Opens),
    ("Bun.write", Opens),
    ("process.setuid", Anything),
    ("Deno.writeTextFile", Changes),
    ("Deno.writeTextFileSync", Changes),
    ("Deno.writeFile", Changes),
    ("Deno.writeFileSync", Changes),
    ("Deno.rename", Changes),
    ("Deno.symlink", Changes),
    ("Deno.Command", Anything),
    ("Deno.run", Anything),
    ("Bun.spawn", Anything),
    ("Bun.spawnSync", Anything),
    ("Bun.$", Anything),
    ("process.binding", Anything),
    ("process.kill", Anything),
    ("process.dlopen", Anything),
    ("mainModule", Anything),
    ("eval", Anything),
    ("Function", Anything),
    ("vm.", Anything),
    ("import(", AnythingBut(&["'", "\""])),
    ("fromCharCode", Anything),
    ("atob", Anything),
];

const PHP: &[(&str, Does)] = &[
    ("system", Runs),
    ("exec", Runs),
    ("passthru", Runs),
    ("shell_exec", Runs),
    ("popen", Runs),
    ("proc_open", Runs),
    ("pcntl_exec", Anything),
    ("`", Anything),
    ("unlink", Deletes),
    ("rmdir", Deletes),
    ("file_put_contents", Opens),
    ("fopen", Opens),
    ("rename", Changes),
    ("copy", Changes),
    ("eval", Anything),
    ("assert", Anything),
    ("create_function", Anything),
    ("call_user_func", Anything),
    ("include", Anything),
    ("posix_kill", Anything),
    ("chmod", Anything),
    ("symlink", Anything),
    ("fsockopen", Anything),
];

const LUA: &[(&str, Does)] = &[
    ("os.execute", Runs),
    ("io.popen", Runs),
    ("vim.fn.system", Runs),
    ("os.remove", Deletes),
    ("os.rename", Changes),
    ("io.open", Opens),
    ("loadstring", Anything),
    ("load", Anything),
    ("dofile", Anything),
    ("posix", Anything),
    ("ffi", Anything),
    ("lfs.rmdir", Deletes),
    ("debug.", Anything),
];

const R: &[(&str, Does)] = &[
    ("system", Runs),
    ("system2", Runs),
    ("shell", Runs),
    ("unlink", Deletes),
    ("file.remove", Deletes),
    ("file_delete", Deletes),
    ("dir_delete", Deletes),
    ("file.rename", Changes),
    ("file.copy", Changes),
    ("shell.exec", Runs),
    ("processx", Anything),
    ("eval", Anything),
    ("source", Anything),
];

const JULIA: &[(&str, Does)] = &[
    ("`", Anything),
    ("run", Anything),
    ("rm", Deletes),
    ("mv", Changes),
    ("cp", Changes),
    ("write", Changes),
    ("eval", Anything),
    ("include", Anything),
    ("ccall", Anything),
];

const ELIXIR: &[(&str, Does)] = &[
    ("System.cmd", Runs),
    ("System.shell", Runs),
    (":os.cmd", Anything),
    ("os:cmd", Anything),
    ("File.rm", Deletes),
    ("File.rm_rf", Deletes),
    ("File.write", Changes),
    ("Code.", Anything),
    ("Port.open", Anything),
];

const APPLE: &[(&str, Does)] = &[
    ("do shell script", Runs),
    ("delete", Anything),
    ("doShellScript", Anything),
    ("shut down", Anything),
    ("restart", Anything),
];

const POWER: &[(&str, Does)] = &[];

const LISP: &[(&str, Does)] = &[
    ("shell-command", Runs),
    ("shell-command-to-string", Runs),
    ("call-process", Runs),
    ("start-process", Anything),
    ("process-file", Runs),
    ("delete-file", Deletes),
    ("delete-directory", Deletes),
    ("write-region", Anything),
    ("system", Runs),
    ("run-program", Anything),
    ("sh", Runs),
    ("eval", Anything),
    ("load", Anything),
];

const TCL: &[(&str, Does)] = &[
    ("exec", Anything),
    ("syscmd", Anything),
    ("esyscmd", Anything),
    ("system", Anything),
    ("file delete", Anything),
    ("file rename", Anything),
    ("file copy", Anything),
    ("spawn", Anything),
    ("open", Anything),
    ("eval", Anything),
    ("source", Anything),
];

const OTHER: &[(&str, Does)] = &[
    ("system", Anything),
    ("exec", Anything),
    ("execute", Anything),
    ("shell", Anything),
    ("process", Anything),
    ("Process", Anything),
    ("ProcessBuilder", Anything),
    ("Runtime", Anything),
    ("spawn", Anything),
    ("popen", Anything),
    ("delete", Anything),
    ("remove", Anything),
    ("unlink", Anything),
    ("eval", Anything),
    ("rm", Anything),
    ("rmdir", Anything),
    ("unix", Anything),
    ("command", Anything),
    ("deleteFile", Anything),
    ("removeDirectoryRecursive", Anything),
    ("callCommand", Anything),
    ("shelleval", Anything),
    ("dlopen", Anything),
    ("File", Anything),
    ("Files", Anything),
    ("writeFile", Anything),
    ("os.RemoveAll", Anything),
    ("os.Remove", Anything),
    ("exec.Command", Anything),
    ("syscall.", Anything),
    ("ioutil.WriteFile", Anything),
    ("os.WriteFile", Anything),
    ("remove_dir_all", Anything),
    ("remove_file", Anything),
    ("Command::new", Anything),
];
