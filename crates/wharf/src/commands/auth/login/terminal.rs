//! What a terminal can do while a code waits: copy it, show it as a picture, take keys.

use std::io::{self, Read as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

use crate::context::Context;

/// A key that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Copy,
    Picture,
    Open,
    Stop,
}

/// `text` as a picture of blocks; nothing where it is too long for one.
pub(super) fn picture(text: &str) -> String {
    let Ok(code) = QrCode::new(text) else {
        return String::new();
    };
    // Dark modules are drawn as blanks between light blocks, which a phone reads on a dark screen
    // and, with the border, on a light one.
    let picture = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    format!("{picture}\n")
}

/// What makes a terminal put `text` on the clipboard: OSC 52.
pub(super) fn copy(text: &str) -> String {
    format!("\x1b]52;c;{}\x07", STANDARD.encode(text))
}

/// Keys as they are pressed. The terminal is as it was when this is dropped.
pub(super) struct Keys {
    before: Termios,
    pressed: mpsc::Receiver<Key>,
}

/// Keys that wait to be looked at; more are dropped.
const KEYS_MAX: usize = 16;

impl Keys {
    /// Begins to watch, where somebody sits at a terminal.
    pub(super) fn watch(cx: &Context) -> Option<Self> {
        if !cx.ui.may_ask || cx.ui.json {
            return None;
        }
        let before = tcgetattr(io::stdin()).ok()?;
        let mut raw = before.clone();
        // Ctrl-C comes as a key, because a signal would leave the terminal as it is now.
        raw.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(io::stdin(), OptionalActions::Now, &raw).ok()?;
        let (sender, pressed) = mpsc::channel(KEYS_MAX);
        // It reads until the process ends: nothing interrupts reading a terminal.
        std::thread::spawn(move || {
            let mut byte = [0];
            while let Ok(1) = io::stdin().lock().read(&mut byte) {
                if let Some(key) = meaning(byte)
                    && let Err(mpsc::error::TrySendError::Closed(_)) = sender.try_send(key)
                {
                    return;
                }
            }
        });
        Some(Self { before, pressed })
    }

    /// The next key; never, where nobody sits there.
    pub(super) async fn next(keys: &mut Option<Self>) -> Key {
        if let Some(keys) = keys
            && let Some(key) = keys.pressed.recv().await
        {
            return key;
        }
        std::future::pending().await
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _gone = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

fn meaning([byte]: [u8; 1]) -> Option<Key> {
    match byte {
        b'c' | b'C' => Some(Key::Copy),
        b'q' | b'Q' => Some(Key::Picture),
        b'o' | b'O' => Some(Key::Open),
        3 | 28 => Some(Key::Stop),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_made_of_blocks() {
        let picture = picture("https://wharf.example.com/device?code=WDJB-1234");
        assert!(picture.lines().count() > 14, "{picture}");
        assert!(picture.chars().all(|c| " \n█▀▄".contains(c)), "{picture}");
        assert_eq!(super::picture(&"x".repeat(8000)), "");
    }

    #[test]
    fn copying_is_one_sequence_without_the_text_in_it() {
        assert_eq!(copy("ABCD-1234"), "\x1b]52;c;QUJDRC0xMjM0\x07");
    }
}
