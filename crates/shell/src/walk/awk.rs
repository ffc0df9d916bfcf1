//! `awk`: programs that it starts, and files that it writes.

use super::arg::Arg;
use super::source::Origin;
use super::{Feed, Walker};
use crate::effects::touch::Touch;
use crate::effects::{Call, Options};

/// Whether the program is an awk.
pub(super) fn is_awk(name: &str) -> bool {
    matches!(name, "awk" | "gawk" | "mawk" | "nawk")
}

/// Pieces of one command that are joined.
const MAX_PIECES: usize = 16;

/// A piece of an awk program.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Text(String),
    Name(String),
    Sign(char),
}

impl Walker<'_> {
    pub(super) fn awk(&mut self, call: &Call<'_, '_>) {
        let options = Options::read(call);
        let in_place = call
            .args
            .iter()
            .any(|arg| arg.is("inplace") || arg.is("-iinplace"));
        let from_file = options.has_any(&["-f", "--file"]);
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

    fn awk_program(&mut self, program: &Arg<'_>, options: &Options<'_, '_>) {
        let tokens = tokens(&program.text);
        let variables = assigned(&tokens, options);
        let literal = |token: Option<&Token>| match token {
            Some(Token::Text(text)) => Some(text.clone()),
            Some(Token::Name(name)) => variables
                .iter()
                .find(|(variable, _)| variable == name)
                .map(|(_, text)| text.clone()),
            _ => None,
        };
        let mut printing = false;
        for (at, token) in tokens.iter().enumerate() {
            let next = tokens.get(at + 1);
            match token {
                Token::Name(name) if name == "system" => {
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
                Token::Name(name) => printing |= name.starts_with("print"),
                Token::Sign('|') if next == Some(&Token::Sign('|')) => {}
                Token::Sign('|') if at > 0 && tokens.get(at - 1) == Some(&Token::Sign('|')) => {}
                Token::Sign('|') => {
                    let next = if next == Some(&Token::Sign('&')) {
                        tokens.get(at + 2)
                    } else {
                        next
                    };
                    if matches!(next, Some(Token::Name(name)) if name == "getline") {
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

/// Variables that hold a text, by options or in the program.
fn assigned(tokens: &[Token], options: &Options<'_, '_>) -> Vec<(String, String)> {
    let values = options
        .values
        .iter()
        .filter_map(|arg| arg.text.split_once('='));
    let mut variables: Vec<(String, String)> = values
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    for window in tokens.windows(3).take(4_096) {
        if let [Token::Name(name), Token::Sign('='), Token::Text(text)] = window {
            variables.push((name.clone(), text.clone()));
        }
    }
    variables
}

fn tokens(program: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = program.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                let mut text = String::new();
                while let Some(c) = chars.next() {
                    match c {
                        '"' => break,
                        '\\' => text.extend(chars.next()),
                        c => text.push(c),
                    }
                }
                tokens.push(Token::Text(text));
            }
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            // A regular expression, where an operand may begin.
            '/' if matches!(
                tokens.last(),
                None | Some(Token::Sign(
                    '(' | ',' | '~' | '!' | '&' | '|' | '{' | '}' | ';' | '\n'
                ))
            ) =>
            {
                while let Some(c) = chars.next() {
                    match c {
                        '/' => break,
                        '\\' => {
                            chars.next();
                        }
                        _ => {}
                    }
                }
                tokens.push(Token::Name(String::new()));
            }
            c if c.is_alphabetic() || c == '_' => {
                let mut name = c.to_string();
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    name.push(c);
                }
                tokens.push(Token::Name(name));
            }
            ' ' | '\t' => {}
            c => tokens.push(Token::Sign(c)),
        }
    }
    tokens
}
