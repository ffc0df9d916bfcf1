//! `awk`: programs that it starts, and files that it writes.

use std::borrow::Cow;
use std::collections::HashMap;

use super::arg::Arg;
use super::source::Origin;
use super::{Feed, Walker};
use crate::effects::touch::Touch;
use crate::effects::{Call, Options};
use crate::place;

/// Whether the program is an awk.
pub(super) fn is_awk(name: &str) -> bool {
    matches!(name, "awk" | "gawk" | "mawk" | "nawk")
}

/// Words behind an `@` that are no names of functions.
const DIRECTIVES: &[&str] = &["include", "load", "namespace", "nsinclude"];

/// Pieces of one command that are joined.
const MAX_PIECES: usize = 16;

/// Pieces of one program that are looked at.
const MAX_TOKENS: usize = 50_000;

/// What a piece costs.
const TOKEN_COST: usize = 16;

/// A piece of an awk program.
#[derive(Clone, Debug, PartialEq)]
enum Token<'t> {
    Text(Cow<'t, str>),
    Name(&'t str),
    Sign(char),
}

impl Walker<'_> {
    pub(super) fn awk(&mut self, call: &Call<'_, '_>) {
        let options = Options::read(call);
        let in_place = call
            .args
            .iter()
            .any(|arg| arg.is("inplace") || arg.is("-iinplace"));
        self.awk_outputs(call);
        let files =
            crate::effects::value_of(call, &["-f", "--file", "-E", "--exec", "-i", "--include"]);
        for file in &files {
            self.awk_file(call, file, &options);
        }
        let sources = crate::effects::value_of(call, &["-e", "--source"]);
        for program in &sources {
            self.awk_program(program, &options);
        }
        let from_file = options.has_any(&["-f", "--file", "-E", "--exec"]) || !sources.is_empty();
        let mut operands = options.operands.iter().filter(|arg| !arg.is("inplace"));
        if !from_file && let Some(program) = operands.next() {
            if program.traits.unknown && program.text.len() <= 2 {
                self.found.note("hidden-code", program.span);
            } else if self.charge_body(program.text.len(), program.span) {
                self.awk_program(program, &options);
            }
        }
        for file in operands {
            self.touch(if in_place { Touch::Write } else { Touch::Read }, file);
        }
    }

    /// A file with a program, when what is in it stands in the text.
    fn awk_file(&mut self, call: &Call<'_, '_>, file: &Arg<'_>, options: &Options<'_, '_>) {
        let input = matches!(file.text.as_ref(), "-" | "/dev/stdin" | "/dev/fd/0");
        let feed = if input {
            self.feed.clone()
        } else if let Some(feed) = self.process_feed(&file.text) {
            feed
        } else if let Some(text) = self.content_of(&file.text).and_then(|content| content.text) {
            Feed::Text(text)
        } else {
            return;
        };
        match feed {
            Feed::Text(text) if self.charge_body(text.text.len(), file.span) => {
                let program = Arg::literal(text.text.clone(), file.span);
                self.awk_program(&program, options);
            }
            Feed::Text(_) | Feed::None | Feed::File(_) => {}
            Feed::Network => self.found.note("code-from-network", call.span),
            _ => self.found.note("hidden-code", call.span),
        }
    }

    /// Files that gawk writes beside what it prints: variables, the program, a profile.
    fn awk_outputs(&mut self, call: &Call<'_, '_>) {
        for arg in call.args {
            let text = arg.text.as_ref();
            let long = [
                "--dump-variables=",
                "--pretty-print=",
                "--profile=",
                "--debug=",
            ];
            let file = long
                .iter()
                .find_map(|name| text.strip_prefix(name))
                .or_else(|| {
                    ["-d", "-o", "-p", "-D"]
                        .iter()
                        .find_map(|name| text.strip_prefix(name))
                });
            if let Some(file) = file.filter(|file| !file.is_empty()) {
                self.touch(Touch::Write, &Arg::literal(file.to_owned(), arg.span));
            }
        }
    }

    fn awk_program(&mut self, program: &Arg<'_>, options: &Options<'_, '_>) {
        let has = |words: &[&str]| words.iter().any(|word| program.text.contains(word));
        let endless = has(&["while (1)", "while(1)", "for (;;)", "for(;;)"]);
        if endless && !has(&["getline", "exit", "break", "system(", "return"]) {
            self.found.note("memory-bomb", program.span);
        }
        let tokens = tokens(&program.text);
        if tokens.len() > MAX_TOKENS {
            self.found.note("too-long", program.span);
            return;
        }
        if !self.charge(tokens.len() * TOKEN_COST, program.span) {
            return;
        }
        let variables = assigned(&tokens, options);
        let literal = |token: Option<&Token<'_>>| match token {
            Some(Token::Text(text)) => Some(text.clone().into_owned()),
            Some(Token::Name(name)) => variables.get(name).map(|text| (*text).to_owned()),
            _ => None,
        };
        self.awk_credentials(program, &tokens);
        let mut printing = false;
        for (at, token) in tokens.iter().enumerate() {
            let next = tokens.get(at + 1);
            match token {
                Token::Name("system") => {
                    let mut text = String::new();
                    let mut known = true;
                    for token in tokens.iter().skip(at + 2).take(MAX_PIECES) {
                        match token {
                            Token::Sign(')' | ';' | '}') => break,
                            token => match literal(Some(token)) {
                                Some(piece) => text.push_str(&piece),
                                None => known = false,
                            },
                        }
                    }
                    self.awk_runs(program, known.then_some(text));
                }
                // A function that a variable names.
                Token::Sign('@') if matches!(next, Some(Token::Name(name)) if !DIRECTIVES.contains(name)) =>
                {
                    self.found.note("hidden-code", program.span);
                }
                Token::Name(name) => printing |= name.starts_with("print"),
                Token::Sign('|') if next == Some(&Token::Sign('|')) => {}
                Token::Sign('|') if at > 0 && tokens.get(at - 1) == Some(&Token::Sign('|')) => {}
                Token::Sign('|') => {
                    let next = if next == Some(&Token::Sign('&')) {
                        tokens.get(at + 2)
                    } else {
                        next
                    };
                    if next == Some(&Token::Name("getline")) {
                        let before = at.checked_sub(1).and_then(|at| tokens.get(at));
                        let before = if before == Some(&Token::Sign(')')) {
                            at.checked_sub(2).and_then(|at| tokens.get(at))
                        } else {
                            before
                        };
                        self.awk_runs(program, literal(before));
                    } else if printing {
                        self.awk_runs(program, literal(next));
                    }
                }
                Token::Sign('>') if printing => {
                    let next = if next == Some(&Token::Sign('>')) {
                        tokens.get(at + 2)
                    } else {
                        next
                    };
                    if let Some(path) = literal(next) {
                        self.touch(Touch::Write, &Arg::literal(path, program.span));
                    }
                }
                Token::Sign('}' | ';' | '\n') => printing = false,
                _ => {}
            }
        }
        if program.text.contains("@load") {
            self.found.note("hidden-code", program.span);
        }
    }

    /// Paths of credentials in literals, whatever stands before them.
    fn awk_credentials(&mut self, program: &Arg<'_>, tokens: &[Token]) {
        let secret = tokens.iter().any(|token| match token {
            Token::Text(text) => {
                text.contains('/')
                    && place::holds_credentials(&self.place.resolve(&self.of_home(text)))
            }
            _ => false,
        });
        if secret {
            self.found.credentials_read = true;
            self.found.note("reads-credentials", program.span);
        }
    }

    fn awk_runs(&mut self, program: &Arg<'_>, command: Option<String>) {
        let Some(command) = command else {
            self.found.note("hidden-code", program.span);
            return;
        };
        let outer = std::mem::replace(&mut self.feed, Feed::Opaque);
        self.shell_body(&command, Origin::Whole(program.span), true);
        self.feed = outer;
    }
}

/// Variables that hold a text, by options or in the program; what was set first counts.
fn assigned<'t>(
    tokens: &'t [Token<'t>],
    options: &'t Options<'_, '_>,
) -> HashMap<&'t str, &'t str> {
    let mut variables = HashMap::new();
    for (name, text) in options
        .values
        .iter()
        .filter_map(|arg| arg.text.split_once('='))
    {
        variables.entry(name).or_insert(text);
    }
    for window in tokens.windows(3) {
        if let [Token::Name(name), Token::Sign('='), Token::Text(text)] = window {
            variables.entry(name).or_insert(text);
        }
    }
    variables
}

/// The pieces of a program, up to one more than are looked at.
fn tokens(program: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut chars = program.char_indices().peekable();
    while tokens.len() <= MAX_TOKENS {
        let Some((start, c)) = chars.next() else {
            break;
        };
        match c {
            '"' => {
                let mut text = Cow::Borrowed("");
                let mut piece = start + 1;
                let mut end = program.len();
                while let Some((at, c)) = chars.next() {
                    match c {
                        '"' => {
                            end = at;
                            break;
                        }
                        '\\' => {
                            // What stands behind it stands for itself.
                            text += program.get(piece..at).unwrap_or_default();
                            piece = at + 1;
                            chars.next();
                        }
                        _ => {}
                    }
                }
                text += program.get(piece..end).unwrap_or_default();
                tokens.push(Token::Text(text));
            }
            '#' => while chars.next_if(|(_, c)| *c != '\n').is_some() {},
            // A regular expression, where an operand may begin.
            '/' if matches!(
                tokens.last(),
                None | Some(Token::Sign(
                    '(' | ',' | '~' | '!' | '&' | '|' | '{' | '}' | ';' | '\n'
                ))
            ) =>
            {
                while let Some((_, c)) = chars.next() {
                    match c {
                        '/' => break,
                        '\\' => {
                            chars.next();
                        }
                        _ => {}
                    }
                }
                tokens.push(Token::Name(""));
            }
            c if c.is_alphabetic() || c == '_' => {
                let mut end = start + c.len_utf8();
                while let Some((at, c)) = chars.next_if(|(_, c)| c.is_alphanumeric() || *c == '_') {
                    end = at + c.len_utf8();
                }
                tokens.push(Token::Name(program.get(start..end).unwrap_or_default()));
            }
            ' ' | '\t' => {}
            c => tokens.push(Token::Sign(c)),
        }
    }
    tokens
}
