//! Modules that an option names: programs of their own (`python -m`), or code that is loaded
//! before the program (`perl -M`, `ruby -r`, `node --import`).

use super::super::Walker;
use super::super::arg::Arg;
use super::super::source::Origin;
use super::words::Language;
use crate::effects::touch::Touch;
use crate::effects::{Call, Options};

impl Walker<'_> {
    /// `python -m module …`: modules that are programs of their own.
    pub(super) fn module<'t>(&mut self, call: &Call<'_, 't>, rest: &[Arg<'t>]) {
        let Some((module, args)) = rest.split_first() else {
            return;
        };
        let own = Call {
            name: module.text.as_ref(),
            args,
            span: call.span,
            source: call.source,
        };
        let options = Options::read(&own);
        let operand = |index: usize| options.operand(index);
        match own.name {
            "timeit" | "cProfile" | "profile" | "pdb" | "trace" => {
                for arg in args.iter().filter(|arg| arg.text.contains(['(', ' '])) {
                    let text = arg.text.clone().into_owned();
                    self.foreign_code("python3", &text, Origin::Whole(arg.span));
                }
            }
            "code" | "idlelib" | "asyncio" | "ptpython" | "bpython" => {
                let python = Call {
                    name: "python3",
                    ..own
                };
                self.code_from_feed(&python);
            }
            "IPython" => {
                let ipython = Call {
                    name: "ipython",
                    ..own
                };
                self.foreign(&ipython);
                self.carried(&ipython, false);
            }
            "zipfile" | "tarfile" => {
                if options.has_any(&["-e", "--extract"])
                    && let Some(target) = operand(1)
                {
                    self.touch(Touch::Write, target);
                }
                if options.has_any(&["-c", "--create"])
                    && let Some(target) = operand(0)
                {
                    self.touch(Touch::Write, target);
                }
            }
            "venv" | "virtualenv" => {
                let touch = if options.has("--clear") {
                    Touch::DeleteTree
                } else {
                    Touch::Create
                };
                for directory in &options.operands {
                    self.touch(touch, directory);
                }
            }
            "json.tool" => {
                if let Some(target) = operand(1) {
                    self.touch(Touch::Write, target);
                }
            }
            "sqlite3" => self.sqlite_module(call, args),
            _ => {
                crate::effects::run(self, &own);
                self.unroll(&own);
                self.carried(&own, false);
            }
        }
    }

    /// Code that is given to the shell of a framework: `rails runner`, `manage.py shell -c`,
    /// `artisan tinker --execute`.
    pub(super) fn framework<'t>(&mut self, call: &Call<'_, 't>) {
        let has = |word: &str| call.args.iter().any(|arg| arg.is(word));
        let (language, code) = if call.name == "rails" && (has("runner") || has("r")) {
            let at = call
                .args
                .iter()
                .position(|arg| arg.is("runner") || arg.is("r"));
            let rest = at
                .and_then(|at| call.args.get(at + 1..))
                .unwrap_or_default();
            let code = rest.iter().find(|arg| !arg.is_option()).cloned();
            ("ruby", code)
        } else if has("shell") || has("shell_plus") {
            let code = crate::effects::value_of(call, &["-c", "--command"]);
            ("python3", code.last().cloned())
        } else if has("tinker") {
            let code = crate::effects::value_of(call, &["--execute"]);
            ("php", code.last().cloned())
        } else {
            return;
        };
        match code {
            Some(code) if code.text.contains([' ', '(', '.']) => {
                let origin = super::super::code::origin(call.source, &code);
                let text = code.text.into_owned();
                self.foreign_code(language, &text, origin);
            }
            Some(_) => {}
            None => {
                let own = Call {
                    name: language,
                    ..*call
                };
                self.code_from_feed(&own);
            }
        }
    }

    fn sqlite_module<'t>(&mut self, call: &Call<'_, 't>, args: &[Arg<'t>]) {
        let own = Call {
            name: "sqlite3",
            args,
            ..*call
        };
        crate::effects::run(self, &own);
        self.unroll(&own);
    }

    /// Options that load a module, with code in its name or a file that lies anywhere.
    pub(super) fn module_option(&mut self, language: Language, call: &Call<'_, '_>, arg: &Arg<'_>) {
        let text = arg.text.as_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || "_:=,-'\" ./\\@".contains(c);
        match language {
            Language::Perl
                if !text.chars().all(plain)
                    && (text.starts_with("-M") || text.starts_with("-m")) =>
            {
                let code = format!("use {}", text.get(2..).unwrap_or_default());
                self.foreign_code("perl", &code, Origin::Whole(arg.span));
            }
            Language::Perl if text.starts_with("-d:") && !text.chars().all(plain) => {
                self.found.note("foreign-code", arg.span);
            }
            // The library of file tools under their shell names: `ruby -run -e rm -- -r x`.
            Language::Ruby if text == "-run" => {
                let tool = crate::effects::value_of(call, &["-e"]);
                let at = call.args.iter().position(|arg| arg.is("--"));
                if let (Some(tool), Some(at)) = (tool.first(), at) {
                    let mut words = vec![Arg::literal(tool.text.clone().into_owned(), arg.span)];
                    words.extend(call.args.iter().skip(at + 1).cloned());
                    self.scoped(|w| w.inner(|w| w.call(call.source, &words)));
                }
            }
            Language::Php
                if text.starts_with("auto_prepend_file") || text.contains("auto_append_file") =>
            {
                self.setting(text, arg);
            }
            Language::Php if text.starts_with("-dauto_") => self.setting(text, arg),
            _ => {}
        }
    }

    /// `auto_prepend_file=URL` of php: code that runs before the script.
    fn setting(&mut self, text: &str, arg: &Arg<'_>) {
        let value = text.split_once('=').map_or("", |(_, value)| value);
        if value.contains("://") {
            self.found.note("code-from-network", arg.span);
        } else if value.starts_with("data:") || self.is_foreign_place(value) {
            self.found.note("hidden-code", arg.span);
        }
    }
}
