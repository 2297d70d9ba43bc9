//! Keys of the terminal, read on a thread of its own: reading waits.

use ratatui::crossterm::event::{self, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use super::state::Key;

/// Keys that wait: more are typed ahead by nobody.
const MOST_WAITING: usize = 64;

/// What comes from the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Key(Key),
    /// It has another size.
    Resized,
}

/// Reads until nobody listens any more, or the terminal is gone.
pub(super) fn listen() -> std::io::Result<mpsc::Receiver<Input>> {
    let (sender, receiver) = mpsc::channel(MOST_WAITING);
    let read = move || {
        while let Ok(event) = event::read() {
            if let Some(input) = input(&event)
                && sender.blocking_send(input).is_err()
            {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("keys".into());
    thread.spawn(read).map(|_| receiver)
}

fn input(event: &event::Event) -> Option<Input> {
    match event {
        event::Event::Resize(..) => Some(Input::Resized),
        event::Event::Key(key) if key.kind != KeyEventKind::Release => {
            let key = match key.code {
                KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::CONTROL) => {
                    Key::Ctrl(c.to_ascii_lowercase())
                }
                KeyCode::Char(c) => Key::Char(c),
                KeyCode::Up => Key::Up,
                KeyCode::Down => Key::Down,
                KeyCode::PageUp => Key::PageUp,
                KeyCode::PageDown => Key::PageDown,
                KeyCode::Home => Key::Home,
                KeyCode::End => Key::End,
                KeyCode::Enter => Key::Enter,
                KeyCode::Esc => Key::Escape,
                KeyCode::Backspace => Key::Backspace,
                KeyCode::Tab => Key::Tab,
                _ => return None,
            };
            Some(Input::Key(key))
        }
        _ => None,
    }
}
