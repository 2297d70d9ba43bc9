//! The terminal: taken for the time of a [`Screen`], and given back as it was, whatever happens.

use std::io::{self, Stdout, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

/// Whether this process has the terminal. A panic of any thread gives it back.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal. It is given back when this is dropped.
pub(super) struct Screen {
    pub(super) terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// # Errors
    ///
    /// It is no terminal, or is gone.
    pub(super) fn take() -> io::Result<Self> {
        give_back_on_panic();
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        // From here on dropping gives it back.
        let screen = Self {
            terminal: Terminal::new(CrosstermBackend::new(stdout()))?,
        };
        // Cleared here, and not by `Terminal::clear`: that asks the terminal where its cursor is,
        // and the thread that reads keys would take the answer.
        execute!(stdout(), EnterAlternateScreen, Clear(ClearType::All))?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back, once. Nothing can be done if that fails: it is gone.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// What a panic says must be read on a terminal that works.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
    });
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::Screen;

    /// Set in the process that panics.
    const PANICS: &str = "INCUMBENT_TEST_PANICS";

    #[test]
    fn a_panic_gives_the_terminal_back_before_it_is_told() {
        if std::env::var_os(PANICS).is_some() {
            let _screen = Screen::take().unwrap();
            panic!("on purpose");
        }
        let program = std::env::current_exe().unwrap();
        let (_, module) = module_path!().split_once("::").unwrap();
        let own = format!("{module}::a_panic_gives_the_terminal_back_before_it_is_told");
        let script = format!(
            "{PANICS}=1 '{}' --exact {own} --nocapture; echo \"code $?\"; stty -a",
            program.display()
        );
        // It makes a terminal for it.
        let mut terminal = Command::new("script");
        terminal
            .args(["-q", "-c", &script, "/dev/null"])
            .env("TERM", "xterm");
        let Ok(output) = terminal.stdin(Stdio::null()).output() else {
            eprintln!("skipped: there is no `script` (util-linux), which makes a terminal");
            return;
        };
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let at = |words: &str| {
            shown
                .find(words)
                .unwrap_or_else(|| panic!("{words:?} in {shown:?}"))
        };
        let (taken, given_back) = (at("\u{1b}[?1049h"), at("\u{1b}[?1049l"));
        let told = at("on purpose");
        assert!(taken < given_back && given_back < told, "{shown:?}");
        // The exit code of a test that has failed.
        let after = &shown[at("code 101")..];
        assert!(after.contains(" icanon"), "{after}");
    }
}
