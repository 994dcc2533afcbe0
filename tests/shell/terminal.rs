//! A pseudo-terminal with the program on it, and the screen that a person would see.

use std::io::{Read as _, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Bracketed paste on and off: what the editor writes when it begins and when it has ended.
const EDITOR_BEGINS: &[u8] = b"\x1b[?2004h";
const EDITOR_ENDS: &[u8] = b"\x1b[?2004l";

/// Longest wait for something to be seen.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program before it is started: nothing in its environment but what is set here.
pub(crate) struct Start {
    command: CommandBuilder,
}

impl Start {
    pub(crate) fn new(home: &Path) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_ask"));
        command.env_clear();
        std::fs::create_dir_all(home).unwrap();
        command.cwd(home);
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("TERM", "xterm-256color");
        command.env("HOME", home);
        command.env("XDG_CONFIG_HOME", home.join("config"));
        command.env("XDG_STATE_HOME", home.join("state"));
        Self { command }
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    /// Starts it on a terminal of that size.
    pub(crate) fn open(self, rows: u16, columns: u16) -> Terminal {
        let pair = native_pty_system().openpty(size(rows, columns)).unwrap();
        let child = pair.slave.spawn_command(self.command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let parser = vt100::Parser::new(NonZeroU16::new(rows).unwrap(), NonZeroU16::new(columns).unwrap(), 0);
        let seen = Arc::new((Mutex::new(Seen { parser, bytes: Vec::new(), closed: false }), Condvar::new()));
        let sink = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // A terminal whose program has ended reads as an error.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let mut seen = sink.0.lock().unwrap();
                seen.parser.process(&buffer[..count]);
                seen.bytes.extend_from_slice(&buffer[..count]);
                sink.1.notify_all();
            }
            sink.0.lock().unwrap().closed = true;
            sink.1.notify_all();
        });
        Terminal { master: pair.master, writer, child, seen, taken: 0 }
    }
}

struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    closed: bool,
}

/// The running program. Dropping it ends it.
pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    /// How many lines the editor had ended when this was last looked at.
    taken: usize,
}

impl Terminal {
    /// Types.
    pub(crate) fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Types a line at the prompt, once it is there.
    #[track_caller]
    pub(crate) fn enter(&mut self, line: &str) {
        self.wait_prompt();
        self.keys(&format!("{line}\r"));
        self.wait_taken();
    }

    /// Types the last line of a statement that has begun.
    #[track_caller]
    pub(crate) fn enter_more(&mut self, line: &str) {
        self.keys(&format!("{line}\r"));
        self.wait_taken();
    }

    /// Drops what was typed, and waits for a new prompt.
    #[track_caller]
    pub(crate) fn interrupt(&mut self) {
        self.keys("\x03");
        self.wait_taken();
        self.wait_prompt();
    }

    /// Waits until the editor has ended a line: what is typed before that is lost with it.
    #[track_caller]
    fn wait_taken(&mut self) {
        let taken = self.taken;
        self.wait_until("the end of the line", |_, bytes| count(bytes, EDITOR_ENDS) > taken);
        self.taken = count(&self.seen.0.lock().unwrap().bytes, EDITOR_ENDS);
    }

    /// Clears the screen, so that what is waited for is new.
    #[track_caller]
    pub(crate) fn clear(&mut self) {
        self.wait_prompt();
        self.keys("\x0c");
        self.wait_until("an empty screen", |screen, _| screen == "jigsaw> \n");
    }

    /// Waits until this is on the screen.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_until(text, |screen, _| screen.contains(text));
    }

    /// Waits until a line can be typed.
    #[track_caller]
    pub(crate) fn wait_prompt(&self) {
        let prompt = |screen: &str| screen == "jigsaw> \n" || screen.ends_with("\njigsaw> \n");
        let editing =
            |bytes: &[u8]| !bytes.contains(&0x1b) || count(bytes, EDITOR_BEGINS) > count(bytes, EDITOR_ENDS);
        self.wait_until("a prompt", |screen, bytes| prompt(screen) && editing(bytes));
    }

    /// Waits until the terminal no longer shows what is typed.
    pub(crate) fn wait_for_silence(&self) {
        const ECHO: u64 = 0o10;
        let start = Instant::now();
        let echoes = || {
            let modes = self.master.get_termios().unwrap().local_flags.bits();
            u64::from(modes) & ECHO != 0
        };
        while echoes() {
            assert!(start.elapsed() < PATIENCE, "the terminal still shows what is typed");
            std::thread::yield_now();
        }
    }

    #[track_caller]
    fn wait_until(&self, what: &str, holds: impl Fn(&str, &[u8]) -> bool) {
        let start = Instant::now();
        let mut seen = self.seen.0.lock().unwrap();
        while !holds(&visible(&seen), &seen.bytes) {
            let left = PATIENCE.saturating_sub(start.elapsed());
            assert!(!left.is_zero() && !seen.closed, "{what:?} does not come:\n{}", visible(&seen));
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// What is on the screen now, without blanks at the ends of lines.
    pub(crate) fn screen(&self) -> String {
        visible(&self.seen.0.lock().unwrap())
    }

    /// Everything that was written so far.
    pub(crate) fn bytes(&self) -> String {
        String::from_utf8_lossy(&self.seen.0.lock().unwrap().bytes).into_owned()
    }

    /// The number of the process.
    pub(crate) fn process(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Makes the terminal as large as this; the program is told.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        self.master.resize(size(rows, columns)).unwrap();
        let (rows, columns) = (NonZeroU16::new(rows).unwrap(), NonZeroU16::new(columns).unwrap());
        self.seen.0.lock().unwrap().parser.screen_mut().set_size(rows, columns);
    }

    /// Waits for its end; gives the exit code.
    pub(crate) fn wait(&mut self) -> u32 {
        let start = Instant::now();
        let mut seen = self.seen.0.lock().unwrap();
        while !seen.closed {
            let left = PATIENCE.saturating_sub(start.elapsed());
            assert!(!left.is_zero(), "it does not end:\n{}", visible(&seen));
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
        drop(seen);
        self.child.wait().unwrap().exit_code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended by itself where a test waited for that.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn size(rows: u16, columns: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn count(bytes: &[u8], of: &[u8]) -> usize {
    bytes.windows(of.len()).filter(|window| *window == of).count()
}

fn visible(seen: &Seen) -> String {
    let (_, columns) = seen.parser.screen().size();
    let rows = seen.parser.screen().rows(0, columns.get());
    let text: Vec<String> = rows.map(|row| row.trim_end().to_owned()).collect();
    // A prompt ends with a blank.
    let prompts = text.iter().map(|line| if line == "jigsaw>" { "jigsaw> " } else { line });
    prompts.collect::<Vec<_>>().join("\n").trim_end_matches('\n').to_owned() + "\n"
}
