//! To a server that knows us.

use std::time::Instant;

use wharf_client::Error as ClientError;
use wharf_localstate::{Registration, Token};
use wharf_ssh::keys::PublicHalf;

use super::Flow;
use crate::cli::Global;
use crate::commands::DONE;
use crate::commands::auth::login;
use crate::commands::work::first::{self, First};
use crate::commands::work::gates::{Answer, Server as Which};
use crate::commands::work::said::Mark;
use crate::config::Purpose;
use crate::connect;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::ssh_key::{self, Made};
use crate::login::{Target, target};

impl Flow {
    /// False where somebody wants nothing of it.
    pub(super) fn first_run(&mut self) -> Result<bool, CommandError> {
        // Apart, since `wait` holds all of us.
        let chosen = {
            let Self {
                runtime, stop, cx, ..
            } = self;
            runtime.block_on(async {
                tokio::select! {
                    kind = stop.asked() => Err(CommandError::new(kind, "stopped")),
                    chosen = first::ask(cx) => Ok(chosen),
                }
            })?
        };
        match chosen {
            First::LogIn(url) => self.log_in(Some(url))?,
            First::Here => self.facts.server = Some(Which::Here),
            First::Quit => return Ok(false),
        }
        Ok(true)
    }

    /// Logs in with a code, to the server at hand or to another one.
    pub(super) fn log_in(&mut self, url: Option<String>) -> Result<(), CommandError> {
        let global = Global {
            api_url: url.or_else(|| self.global.api_url.clone()),
            ..self.global.clone()
        };
        let cx = Context::new(self.world.clone(), &global, Purpose::Client, vec![])?;
        let code = login::by_code(&cx)?;
        if code != DONE {
            return Err(CommandError::new(Kind::Login, "nobody logged in"));
        }
        // The login has its profile now.
        self.cx = Context::new(self.world.clone(), &self.global, Purpose::Client, vec![])?;
        self.facts.logged_in = true;
        self.facts.answer = None;
        self.facts.server = Some(Which::Named);
        Ok(())
    }

    pub(super) fn who_am_i(&mut self) -> Result<(), CommandError> {
        let began = Instant::now();
        let server = match connect::find_or_start(&self.cx) {
            Ok(server) => server,
            Err(error) => {
                let answer = match error.kind {
                    Kind::Login => Answer::Unknown,
                    Kind::TryLater => Answer::Away,
                    _ => return Err(error),
                };
                self.away = Some(error);
                self.facts.answer = Some(answer);
                return Ok(());
            }
        };
        let client = server.client.clone();
        let me = self.wait(async move { Ok(client.me().await) })?;
        let url = server.client.url().to_owned();
        self.server = Some(server);
        let answer = match me {
            Ok(me) => {
                let text = format!("{url}, as {}", me.email);
                self.say(Mark::Done, "server", &text, Some(began.elapsed()));
                self.away = None;
                Answer::Known
            }
            Err(error) => {
                let answer = answer_of(&error);
                let error = CommandError::from(error);
                let Some(answer) = answer else {
                    return Err(error);
                };
                self.away = Some(error);
                answer
            }
        };
        self.facts.answer = Some(answer);
        Ok(())
    }

    pub(super) fn key(&mut self) -> Result<(), CommandError> {
        let (half, made) = ssh_key::ensure(&self.cx)?;
        if made != Made::WasThere {
            let text = format!("made, private half stays here  {}", half.fingerprint);
            self.say(Mark::Done, "ssh key", &text, None);
            if self.facts.server == Some(Which::Named) {
                self.upload(&half)?;
            }
        }
        self.key = Some(half);
        self.facts.key = true;
        Ok(())
    }

    /// Gives it to the account. A sandbox is told of it anyway, so that nothing depends on it.
    pub(super) fn upload(&mut self, half: &PublicHalf) -> Result<(), CommandError> {
        let client = self.client()?;
        let given = half.clone();
        let uploading = async move { Ok(ssh_key::upload(&client, &given).await) };
        if let Err(error) = self.wait(uploading)? {
            let text = format!(
                "not given to the account: {}; wharf keys add",
                error.message
            );
            self.say(Mark::Look, "ssh key", &text, None);
        }
        Ok(())
    }
}

/// Which server there is, without asking any.
pub(super) fn which_server(cx: &Context) -> Result<Which, CommandError> {
    if let Target::Named { .. } = target(cx)? {
        return Ok(Which::Named);
    }
    let runs = Registration::find(&cx.places.registration_file())?.is_some();
    // Where one has run before, another is started without a question.
    let ran = runs || Token::load(&cx.places.token_file())?.is_some();
    Ok(if ran { Which::Here } else { Which::None })
}

/// What an error says of us; none where it says something else.
fn answer_of(error: &ClientError) -> Option<Answer> {
    match error {
        ClientError::Connect { .. } | ClientError::Broken { .. } => Some(Answer::Away),
        ClientError::Refused { problem, .. } => match problem.status {
            401 => Some(Answer::Unknown),
            429 | 500.. => Some(Answer::Away),
            _ => None,
        },
        ClientError::Answer { status, .. } if *status >= 500 => Some(Answer::Away),
        _ => None,
    }
}
