//! The first run: nobody is logged in and no server is known.

use std::future::Future;

use crate::context::Context;

/// What somebody chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum First {
    /// Log in to this server.
    LogIn(String),
    /// Have all of it on this machine.
    Here,
    /// Nothing.
    Quit,
}

/// Asks until the answer is one.
pub(super) async fn ask(cx: &Context) -> First {
    let ui = cx.ui;
    choose(|question: &'static str| async move { ui.line(question).await }).await
}

const CHOICES: &str = "No login here.  1 log in to a server   2 run all of it on this machine   \
                       3 quit\n> ";
const ADDRESS: &str = "Address of the server, such as https://wharf.example.com: ";

async fn choose<F: Future<Output = Option<String>>>(ask: impl Fn(&'static str) -> F) -> First {
    loop {
        let Some(answer) = ask(CHOICES).await else {
            return First::Quit;
        };
        match answer.trim() {
            "1" => {
                let url = ask(ADDRESS).await.unwrap_or_default();
                let url = url.trim();
                if url.starts_with("https://") || url.starts_with("http://") {
                    return First::LogIn(url.to_owned());
                }
                if !url.is_empty() {
                    return First::LogIn(format!("https://{url}"));
                }
            }
            "2" => return First::Here,
            "3" | "q" | "quit" => return First::Quit,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn answered(answers: &[&str]) -> First {
        let left = RefCell::new(
            answers
                .iter()
                .map(|it| (*it).to_owned())
                .collect::<Vec<_>>(),
        );
        let ask = |_: &'static str| {
            let mut left = left.borrow_mut();
            let next = (!left.is_empty()).then(|| left.remove(0));
            std::future::ready(next)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(choose(ask))
    }

    #[test]
    fn it_is_asked_until_there_is_an_answer() {
        assert_eq!(answered(&["2\n"]), First::Here);
        assert_eq!(answered(&["x\n", "\n", "3\n"]), First::Quit);
        assert_eq!(answered(&[]), First::Quit);
        let url = |url: &str| First::LogIn(url.to_owned());
        assert_eq!(answered(&["1\n", "http://a:1\n"]), url("http://a:1"));
        assert_eq!(
            answered(&["1\n", "wharf.example.com\n"]),
            url("https://wharf.example.com")
        );
        assert_eq!(answered(&["1\n", "\n", "2\n"]), First::Here);
    }
}
