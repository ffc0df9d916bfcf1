//! Tools with small languages of their own in which commands stand: editors, database shells,
//! options of ssh, callbacks.

use super::super::Walker;
use super::super::arg::{Arg, UNKNOWN};
use super::super::source::Origin;
use super::super::{Feed, feed::Text};
use crate::analysis::Span;
use crate::effects::Call;
use crate::effects::touch::Touch;

impl Walker<'_> {
    /// `vim -c ':!command'`, `ex -sc '…'`: commands of an editor, and the files that it writes.
    pub(super) fn editor<'t>(&mut self, call: &Call<'_, 't>) {
        let mut files = Vec::new();
        let mut writes = call.name == "ex";
        let mut args = call.args.iter();
        while let Some(arg) = args.next() {
            let text = arg.text.as_ref();
            let command = match text {
                "-c" | "--cmd" => args.next(),
                _ if text.starts_with('+') || text.starts_with("-c") => Some(arg),
                "-es" | "-Es" | "-s" | "-e" | "--headless" => {
                    writes |= text != "--headless";
                    continue;
                }
                _ => None,
            };
            match command {
                Some(command) => {
                    let text = command.text.trim_start_matches(['+']).to_owned();
                    let text = text.strip_prefix("-c").unwrap_or(&text);
                    writes |= self.editor_commands(text, command);
                }
                None if !arg.is_option() => files.push(arg),
                None => {}
            }
        }
        for file in files {
            self.touch(if writes { Touch::Write } else { Touch::Read }, file);
        }
    }

    /// The commands of one option; whether they write the file that is open.
    fn editor_commands(&mut self, text: &str, arg: &Arg<'_>) -> bool {
        let mut command = text.trim_start_matches([':', ' ']);
        for modifier in [
            "silent! ",
            "silent ",
            "sil ",
            "noautocmd ",
            "execute ",
            "exe ",
            "bufdo ",
        ] {
            command = command.strip_prefix(modifier).unwrap_or(command);
            command = command.trim_start_matches([':', ' ', '"', '\'']);
        }
        let shells = [
            "!",
            "r !",
            "read !",
            "r!",
            "w !",
            "%!",
            "terminal ",
            "term ",
            ".!",
            "1,$!",
        ];
        let body = shells.iter().find_map(|start| command.strip_prefix(start));
        if let Some(body) = body {
            let body = body.to_owned();
            self.shell_body(&body, Origin::Whole(arg.span), true);
            return false;
        }
        let languages = [
            ("lua ", "lua"),
            ("py3 ", "python3"),
            ("python3 ", "python3"),
            ("py ", "python3"),
            ("python ", "python3"),
            ("perl ", "perl"),
            ("ruby ", "ruby"),
        ];
        for (start, language) in languages {
            if let Some(code) = command.strip_prefix(start) {
                let code = code.to_owned();
                self.foreign_code(language, &code, Origin::Whole(arg.span));
                return false;
            }
        }
        if command.contains("system(")
            || command.contains(":!")
            || command.contains("call ")
            || command.contains("|!")
        {
            self.found.note("hidden-code", arg.span);
        }
        for start in [
            "w! ", "w ", "write ", "wq ", "wq! ", "saveas ", "sav ", "w!>>", "w>>",
        ] {
            if let Some(path) = command.strip_prefix(start) {
                let path = path.trim().to_owned();
                self.touch(Touch::Write, &Arg::literal(path, arg.span));
                return false;
            }
        }
        let last = command.rsplit('|').next().unwrap_or_default().trim();
        matches!(
            last,
            "w" | "w!" | "wq" | "wq!" | "x" | "x!" | "wa" | "wqa" | "xa" | "update"
        )
    }

    /// Options of `ssh`, `scp` and `sftp` that name a command.
    pub(super) fn ssh_options(&mut self, call: &Call<'_, '_>) {
        for (index, arg) in call.args.iter().enumerate() {
            let setting = arg.text.strip_prefix("-o").unwrap_or(&arg.text);
            let lower = setting.trim_start().to_ascii_lowercase();
            let names = [
                "proxycommand",
                "localcommand",
                "knownhostscommand",
                "proxyusefdpass",
            ];
            if names.iter().any(|name| lower.starts_with(name))
                && let Some((_, body)) = setting.split_once(['=', ' '])
                && !body.trim().eq_ignore_ascii_case("none")
            {
                let body = body.to_owned();
                self.shell_body(&body, Origin::Whole(arg.span), true);
            }
            if call.name != "ssh"
                && arg.is("-S")
                && let Some(program) = call.args.get(index + 1)
                && !program.text.ends_with("ssh")
            {
                self.found.note("hidden-code", program.span);
            }
        }
    }

    /// A compiler that is told to run something itself, or that reads the program's text.
    pub(super) fn compiler<'t>(&mut self, call: &Call<'_, 't>) {
        for wrapper in crate::effects::value_of(call, &["-wrapper"]) {
            let words: Vec<Arg<'t>> = wrapper
                .text
                .split(',')
                .map(|word| Arg::literal(word.to_owned(), wrapper.span))
                .collect();
            self.scoped(|w| w.call(call.source, &words));
        }
        if call
            .args
            .iter()
            .any(|arg| arg.is("-") || arg.is("/dev/stdin"))
        {
            self.code_from_feed(call);
        }
    }

    /// `ip netns exec NAME command`.
    pub(super) fn network_namespace<'t>(&mut self, call: &Call<'_, 't>) {
        let words = call.args.iter().map(|arg| arg.text.as_ref());
        let at = words.clone().position(|word| word == "exec");
        let namespaces = words.clone().any(|word| matches!(word, "netns" | "netn"));
        if let Some(at) = at.filter(|_| namespaces) {
            let command = call.args.get(at + 2..).unwrap_or_default();
            self.scoped(|w| w.call(call.source, command));
        }
    }

    /// `mapfile -C callback`: it gets an index and a line as further words.
    pub(super) fn callback<'t>(&mut self, call: &Call<'_, 't>) {
        let at = call.args.iter().position(|arg| arg.is("-C"));
        if let Some(body) = at.and_then(|at| call.args.get(at + 1)) {
            if matches!(
                body.text.trim(),
                "eval" | "source" | "." | "command" | "exec"
            ) {
                self.found.note("hidden-code", body.span);
            }
            let text = format!("{} 0 \"{UNKNOWN}\"", body.text);
            self.shell_body(&text, Origin::Whole(body.span), false);
        }
    }

    /// `compgen -C command`, and `compgen -W words`, which are expanded once more.
    pub(super) fn completions<'t>(&mut self, call: &Call<'_, 't>) {
        self.option_bodies(call, &["-C", "-F"]);
        for words in crate::effects::value_of(call, &["-W"]) {
            self.quoted_body(&words.text, Origin::Whole(words.span));
        }
    }

    /// `fc` runs what the history holds, unless it only lists it.
    pub(super) fn history_again(&mut self, call: &Call<'_, '_>) {
        let lists = |arg: &Arg<'_>| arg.is_option() && arg.text.contains('l');
        if !call.args.iter().any(lists) {
            self.found.note("hidden-code", call.span);
        }
    }

    /// `\! command`, `system command`, `copy … program 'command'`.
    pub(super) fn database_shell(&mut self, call: &Call<'_, '_>) {
        let mut texts: Vec<(String, Span)> = call
            .args
            .iter()
            .map(|arg| (arg.text.clone().into_owned(), arg.span))
            .collect();
        let decoded = call.args.iter().any(|arg| arg.traits.decoded);
        if decoded || matches!(self.feed, Feed::Decoded | Feed::Network) {
            self.found.note("hidden-code", call.span);
        }
        if let Feed::Text(text) = self.feed.clone()
            && self.charge(text.text.len(), call.span)
        {
            texts.push((text.text.clone(), whole(&text)));
        }
        for (text, span) in texts {
            for line in text.lines() {
                let line = line.trim_start();
                let body = line
                    .strip_prefix("\\!")
                    .or_else(|| line.strip_prefix("system "))
                    .filter(|_| call.name != "psql" || line.starts_with('\\'));
                if let Some(body) = body {
                    let body = body.to_owned();
                    self.shell_body(&body, Origin::Whole(span), true);
                }
            }
            let lower = text.to_ascii_lowercase();
            if lower.contains("copy ") && lower.contains(" program ") {
                self.found.note("hidden-code", span);
            }
        }
    }

    /// Code of a makefile: its recipes, and what its functions run and write.
    pub(super) fn makefile(&mut self, code: &str, span: Span) {
        self.try_pieces(code, span);
        for command in code.split("$(shell ").skip(1) {
            let inside = command
                .rsplit_once(')')
                .map_or(command, |(inside, _)| inside);
            self.try_command(&with_shell_variables(inside), span);
        }
        if code.matches("$(MAKE)").count() > 1 && code.contains(" & ") {
            self.found.note("fork-bomb", span);
        }
        for line in code.lines() {
            let recipe = line.split_once(';').map_or(line, |(_, recipe)| recipe);
            let recipe = recipe.trim_start_matches(['\t', ' ', '@', '-', '+']);
            let recipe = recipe
                .replace("$$", "$\u{1}")
                .replace("$(", "$__(")
                .replace('\u{1}', "");
            self.try_command(&recipe, span);
        }
        for written in code.split("$(file").skip(1) {
            let path = written.trim_start().trim_start_matches('>');
            let path = path.split([',', ')', ' ']).next().unwrap_or_default();
            self.write_outside(path, span);
        }
        if code.contains("$(eval")
            || code.contains("$(call")
            || code.contains("include ")
            || code.contains("load ")
        {
            self.found.note("hidden-code", span);
        }
    }

    /// `cmake -E tool …`: the tools of cmake itself.
    pub(super) fn cmake_tool<'t>(&mut self, call: &Call<'_, 't>) {
        let Some(at) = call.args.iter().position(|arg| arg.is("-E")) else {
            return;
        };
        let rest = call.args.get(at + 1..).unwrap_or_default();
        let Some((tool, args)) = rest.split_first() else {
            return;
        };
        let name = match tool.text.as_ref() {
            "remove" | "rm" => "rm",
            "remove_directory" => "rimraf",
            "copy" | "copy_directory" | "copy_if_different" => "cp",
            "rename" => "mv",
            "env" | "time" => {
                let given = args.iter().take_while(|arg| {
                    tool.is("env") && (arg.is_option() || super::is_assignment(&arg.text))
                });
                let command = args.get(given.count()..).unwrap_or_default();
                return self.scoped(|w| w.call(call.source, command));
            }
            "chdir" => {
                return self.scoped(|w| w.call(call.source, args.get(1..).unwrap_or_default()));
            }
            _ => return,
        };
        let own = Call {
            name,
            args,
            ..*call
        };
        crate::effects::run(self, &own);
    }
}

fn whole(text: &Text) -> Span {
    text.origin.span(Span::new(0, text.text.len()))
}

/// `$(NAME)` of make as `${NAME}` of a shell, which has most of them from the environment.
fn with_shell_variables(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some((before, after)) = rest.split_once("$(") {
        out.push_str(before);
        let name = after
            .split_once(')')
            .filter(|(name, _)| crate::env::valid_env_name(name));
        match name {
            Some((name, behind)) => {
                out.push_str("${");
                out.push_str(name);
                out.push('}');
                rest = behind;
            }
            None => {
                out.push_str("$(");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}
